"""Say what files hold, and how `oddlens score` would read them: units, roles, scale, and what belongs to each image."""

import argparse

from oddlens.cli import reading

HELP = "say what image files hold, and how they would be read"
EXAMPLES = ("oddlens inspect lens.fits", "oddlens inspect folder stamps.h5 --dataset stamps")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens inspect`."""
    parser.add_argument("image", nargs="+", help=reading.IMAGE_HELP)
    reading.add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print a description of each file; the status is 1 if something cannot be read."""
    from oddlens.observations.reading.inspection import describe

    how = reading.reading(arguments)
    complete = True
    for reference in arguments.image:
        text, readable = describe(reference, how)
        print(text)
        complete &= readable
    return int(not complete)
