"""Arguments that say how files are read, for the commands that read images."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oddlens.observations.reading.image_stacks import Reading

IMAGE_HELP = "a file of one image or many, a part of it (a.fits#SCI,2 or a.npy[7]), or a folder"
COMPANIONS = {"psf": "point-spread function", "noise": "noise map", "mask": "mask, not 0 where pixels are not used"}
"""Files that describe an image."""


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments from which `reading` is made."""
    parser.add_argument("--dataset", default="images", metavar="NAME", help="in an HDF5 or NPZ file; default: images")
    parser.add_argument(
        "--channel",
        type=channel,
        metavar="K",
        help="the band, from 0, of images with several bands; or the luminance of an RGB picture",
    )
    parser.add_argument("--pixel-scale", type=float, metavar="ARCSEC", help="overrides that of the files")
    for kind, description in COMPANIONS.items():
        parser.add_argument(
            f"--{kind}", type=Path, metavar="FILE", help=f"{description}, if not in or next to the file"
        )


def channel(text: str) -> int | str:
    """The number of a band, or `luminance`.

    Raises:
        argparse.ArgumentTypeError: if it is neither.
    """
    if text == "luminance":
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}': it must be a number from 0, or luminance") from None


def reading(arguments: argparse.Namespace) -> "Reading":
    """How the arguments say that files are read.

    Raises:
        ValueError: if the pixel scale is impossible.
    """
    from oddlens.observations.reading.image_stacks import Reading

    companions = {kind: getattr(arguments, kind) for kind in COMPANIONS}
    return Reading(arguments.dataset, arguments.channel, arguments.pixel_scale, companions)
