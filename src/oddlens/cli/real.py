"""Score real lenses by the models of a study, and compare with its simulated smooth lenses."""

import argparse
import sys
from pathlib import Path

from oddlens.files.names import printable

HELP = "score real lenses by the models of a study"
EXAMPLES = (
    "oddlens real path/to/lens",
    "oddlens real lenses/index.csv --study results/default --dataset model_a",
    "oddlens real lens.fits --pixel-scale 0.05 --annulus 0.6 2.4",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens real`."""
    parser.add_argument("path", type=Path, help="a FITS file, a folder with data.fits or index.csv, or such a CSV")
    parser.add_argument("--study", type=Path, default=Path("results/default"), help="its folder; default: %(default)s")
    parser.add_argument("--dataset", action="append", default=[], help="score by this data set alone (repeatable)")
    parser.add_argument("--pixel-scale", type=float, metavar="ARCSEC", help="default: from the header or info.json")
    parser.add_argument(
        "--claimed", action="append", default=[], metavar="LENS", help="a lens with claimed substructure (repeatable)"
    )
    parser.add_argument(
        "--annulus", type=float, nargs=2, metavar=("INNER", "OUTER"), help="use only these radii, arcsec"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print percentiles; the status is 1 if some lens could not be scored by some model."""
    from oddlens.stages.real_files import score_files

    text, problems = score_files(
        arguments.path,
        arguments.study,
        arguments.dataset,
        pixel_scale_arcsec=arguments.pixel_scale,
        claimed=arguments.claimed,
        annulus_arcsec=tuple(arguments.annulus) if arguments.annulus else None,
    )
    print(text)
    if problems:
        print("could not be scored:", *map(printable, problems), sep="\n", file=sys.stderr)
    return int(bool(problems))
