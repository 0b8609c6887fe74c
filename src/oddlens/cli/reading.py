"""Arguments that say how files are read, for the commands that read images."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oddlens.observations.reading.image_files import Reading

IMAGE_HELP = "a file of one image or many, a part of it (a.fits#SCI,2 or a.npy[7]), or a folder"
COMPANIONS = {"psf": "point-spread function", "noise": "noise map", "mask": "mask, not 0 where pixels are not used"}
"""Files that describe an image."""


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments from which `reading` is made."""
    parser.add_argument("--dataset", default="images", metavar="NAME", help="in an HDF5 or NPZ file; default: images")
    parser.add_argument("--channel", type=int, metavar="K", help="the band, from 0, of arrays with several bands")
    parser.add_argument("--pixel-scale", type=float, metavar="ARCSEC", help="overrides that of the files")
    for kind, description in COMPANIONS.items():
        parser.add_argument(
            f"--{kind}", type=Path, metavar="FILE", help=f"{description}, if not in or next to the file"
        )


def reading(arguments: argparse.Namespace) -> "Reading":
    """How the arguments say that files are read.

    Raises:
        ValueError: if the pixel scale is impossible.
    """
    from oddlens.observations.reading.image_files import Reading

    companions = {kind: getattr(arguments, kind) for kind in COMPANIONS}
    return Reading(arguments.dataset, arguments.channel, arguments.pixel_scale, companions)
