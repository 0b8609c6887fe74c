"""Fit real lenses at their own resolution (`oddlens.observations.modelling`), and write what was found.

Lenses that cannot be fitted are reported in one line each, and the others are processed.
"""

from collections.abc import Iterable
from pathlib import Path

from oddlens.files.progress import say
from oddlens.observations.frames import Frame, read_lens
from oddlens.observations.lens_index import LensEntry, with_unique_labels
from oddlens.observations.modelling.frame_fit import fit_frame
from oddlens.observations.modelling.frame_pixels import pixels_of_frame
from oddlens.observations.modelling.frame_result import FrameResult, Redshifts, result_of
from oddlens.observations.modelling.result_files import write_fit
from oddlens.observations.real_lenses import one_line
from oddlens.results.figures import style
from oddlens.results.figures.lens_fit import lens_fit_figure, numbers_text

FIGURE_FILE = "fit.png"


def fit_of_frame(frame: Frame, redshifts: Redshifts | None = None, radius_arcsec: float | None = None) -> FrameResult:
    """The fit of a frame.

    Args:
        radius_arcsec: see `fit_frame`.

    Raises:
        ValueError: if no model of a lens explains the frame.
    """
    pixels, notes = pixels_of_frame(frame)
    return result_of(frame.name, pixels, fit_frame(pixels, radius_arcsec), redshifts, (*frame.notes, *notes))


def fit_entries(
    entries: Iterable[LensEntry],
    folder: Path,
    redshifts: Redshifts | None = None,
    radius_arcsec: float | None = None,
) -> tuple[list[str], list[str]]:
    """Fit lenses and write the files of each to a folder of its name.

    Returns the texts to print, and one line for each lens that could not be fitted.
    """
    texts, problems = [], []
    for entry in with_unique_labels(entries):
        say(f"{entry.label}: fitting")
        try:
            result = fit_of_frame(read_lens(entry), redshifts, radius_arcsec)
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a matrix that cannot be factorised
            problems.append(f"{entry.label}: {one_line(error)}")
            continue
        own = folder / entry.slug
        write_fit(result, own)
        with style.plt.rc_context(style.STYLE):
            style.save(lens_fit_figure(result), own / FIGURE_FILE)
        texts.append(f"{entry.label}\n{numbers_text(result)}\nWritten: {own}")
    return texts, problems
