"""Say what files hold, and how `oddlens score` would read them: units, roles, scale, and what belongs to each image.

Of a sheet or a folder also how it would be read as a data set of the user's own images.
"""

import argparse
from pathlib import Path

from oddlens.cli import reading

HELP = "say what image files hold, and how they would be read"
EXAMPLES = ("oddlens inspect lens.fits", "oddlens inspect folder samples.csv stamps.h5 --dataset stamps")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens inspect`."""
    parser.add_argument("image", nargs="+", help=reading.IMAGE_HELP)
    reading.add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print a description of each file; the status is 1 if something cannot be read."""
    from oddlens.observations.reading.inspection import describe
    from oddlens.observations.sample.summary import describe_sample, is_sheet

    how = reading.reading(arguments)
    complete = True
    for reference in arguments.image:
        path = Path(reference)
        text, readable = (reference, True) if is_sheet(path) else describe(reference, how)
        print(text)
        complete &= readable
        if is_sheet(path) or path.is_dir():
            text, readable = describe_sample(path)
            print(text)
            complete &= readable or not is_sheet(path)
    return int(not complete)
