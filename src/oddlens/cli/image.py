"""Simulate one image of a study again, with its noise map, PSF, smooth twin, convergence and truth, as FITS."""

import argparse
from pathlib import Path

from oddlens.cli.outputs import output_file

HELP = "simulate one image of a study again, with its truth"
EXAMPLES = (
    "oddlens image model_a/test/vortex/17",
    "oddlens image model_a/test/cdm/17 --configfile mine.yaml --out lens.fits",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens image`."""
    parser.add_argument("id", help="DATASET/POOL/CLASS/INDEX, as in model_a/test/vortex/17")
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], help="laid over config/config.yaml, in order")
    parser.add_argument("--out", type=output_file, help="default: results/STUDY/images/ID.fits, with dashes in the ID")


def run(arguments: argparse.Namespace) -> int:
    """Write the image and print its truth."""
    from oddlens.config.config_files import default_config
    from oddlens.files.packaged import CHECKOUT
    from oddlens.stages.image import write_image

    base = default_config(CHECKOUT)
    # Without a checkout, the files given are the whole config.
    files = [base] if base.is_file() or not arguments.configfile else []
    print(write_image(arguments.id, [*files, *arguments.configfile], arguments.out))
    return 0
