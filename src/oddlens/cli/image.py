"""Simulate one image of a study again, with its noise map, PSF, smooth twin, convergence and truth, as FITS."""

import argparse
from pathlib import Path

HELP = "simulate one image of a study again, with its truth"
EXAMPLES = (
    "oddlens image model_a/test/vortex/17",
    "oddlens image model_a/test/cdm/17 --configfile mine.yaml --out lens.fits",
)
CONFIG = Path("config/config.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens image`."""
    parser.add_argument("id", help="DATASET/POOL/CLASS/INDEX, as in model_a/test/vortex/17")
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], help=f"override {CONFIG}, in order")
    parser.add_argument("--out", type=Path, help="default: results/STUDY/images/ID.fits, with dashes in the ID")


def run(arguments: argparse.Namespace) -> int:
    """Write the image and print its truth."""
    from oddlens.stages.image import write_image

    # Without a checkout, the files given are the whole config.
    base = [CONFIG] if CONFIG.is_file() or not arguments.configfile else []
    print(write_image(arguments.id, [*base, *arguments.configfile], arguments.out))
    return 0
