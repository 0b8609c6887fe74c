"""Fit the best smooth lens to real frames at their own resolution, and search their residuals for a mass.

No study and no training are needed. The fit starts from the frame alone: it finds the light of the lens galaxy, the
arcs, the Einstein radius, and the source. A significance is not a detection; docs/lens_fits.md says what it means.
"""

import argparse
import sys
from pathlib import Path

from oddlens.cli.reading import IMAGE_HELP, add_reading_arguments, reading
from oddlens.files.names import printable

HELP = "fit smooth lenses to real frames, and search them for a mass"
EXAMPLES = (
    "oddlens fit lens/data.fits --redshifts 0.222 0.609",
    "oddlens fit lenses/index.csv --out fits",
    "oddlens fit lens.fits --psf psf.fits --noise noise.fits --pixel-scale 0.05",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens fit`."""
    parser.add_argument("path", type=Path, help=f"{IMAGE_HELP}; or a CSV index, or a folder with index.csv")
    parser.add_argument("--out", type=Path, default=Path("fits"), help="folder of the results; default: %(default)s")
    add_reading_arguments(parser)
    parser.add_argument(
        "--redshifts", type=float, nargs=2, metavar=("LENS", "SOURCE"), help="for masses in solar masses"
    )
    parser.add_argument("--radius", type=float, metavar="ARCSEC", help="of the circle that holds the lens and its arcs")


def run(arguments: argparse.Namespace) -> int:
    """Print the main numbers; the status is 1 if some lens could not be fitted."""
    from oddlens.observations.lens_index import image_entries, index_at, own_name, read_lenses
    from oddlens.observations.modelling.frame_result import Redshifts
    from oddlens.observations.modelling.memory import keep_freed_memory
    from oddlens.observations.reading.stored_arrays import DEFAULT_DATASET
    from oddlens.stages.fit_frames import fit_entries

    how = reading(arguments)
    if index_at(arguments.path):
        given = {kind: str(path) for kind, path in how.companions.items() if path}
        if how.channel is not None or how.dataset != DEFAULT_DATASET:
            raise ValueError(f"{arguments.path} is an index: --channel and --dataset are for images without one")
        scale = how.pixel_scale_arcsec
        entries = read_lenses(arguments.path, own_name(arguments.path), pixel_scale_arcsec=scale, companions=given)
    else:
        entries = image_entries(arguments.path, how)
    redshifts = Redshifts(*arguments.redshifts) if arguments.redshifts else None
    keep_freed_memory()
    texts, problems = fit_entries(entries, arguments.out, redshifts, arguments.radius)
    print("\n\n".join(texts))
    if problems:
        print("could not be fitted:", *map(printable, problems), sep="\n", file=sys.stderr)
    return int(bool(problems))
