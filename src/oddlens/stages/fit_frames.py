"""Fit real lenses at their own resolution (`oddlens.observations.modelling`), and write what was found.

Lenses that cannot be fitted are reported in one line each, and the others are processed.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from oddlens.files.progress import say
from oddlens.observations.frames import Frame, make_frame, read_lens
from oddlens.observations.lens_index import LensEntry, own_name, read_lenses, with_unique_labels
from oddlens.observations.modelling.frame_fit import fit_frame
from oddlens.observations.modelling.frame_pixels import pixels_of_frame
from oddlens.observations.modelling.frame_result import FrameResult, Redshifts, result_of
from oddlens.observations.modelling.memory import keep_freed_memory
from oddlens.observations.modelling.result_files import write_fit, write_problem
from oddlens.observations.real_lenses import one_line
from oddlens.results.figures import style
from oddlens.results.figures.lens_fit import lens_fit_figure, numbers_text

FIGURE_FILE = "fit.png"
REFUSALS = (OSError, ValueError, RuntimeError)
"""Errors of a lens that do not end a batch. RuntimeError: a matrix that cannot be factorised."""


def fit_of_frame(frame: Frame, redshifts: Redshifts | None = None, radius_arcsec: float | None = None) -> FrameResult:
    """The fit of a frame.

    Args:
        radius_arcsec: see `fit_frame`.

    Raises:
        ValueError: if no model of a lens explains the frame.
    """
    pixels, notes = pixels_of_frame(frame)
    return result_of(frame.name, pixels, fit_frame(pixels, radius_arcsec), redshifts, (*frame.notes, *notes))


def fit_image(
    image: np.ndarray | str | Path,
    pixel_scale_arcsec: float | None = None,
    *,
    psf: np.ndarray | str | Path | None = None,
    noise: np.ndarray | str | Path | None = None,
    mask: np.ndarray | str | Path | None = None,
    redshifts: tuple[float, float] | None = None,
    radius_arcsec: float | None = None,
    name: str = "lens",
) -> FrameResult:
    """The fit of an image.

    Args:
        image: the pixels [h, w], with row 0 at the top, or a file.
        pixel_scale_arcsec: of the image; a file may know it.
        psf, noise, mask: arrays if the image is one, else files. A mask is not 0 where a pixel must not be used.
        redshifts: of the lens and its source.
        radius_arcsec: see `fit_frame`.
        name: of the lens, if the image is an array.

    Raises:
        OSError, ValueError, TypeError: if the image cannot be used, or no model of a lens explains it.
    """
    companions = {"psf": psf, "noise": noise, "mask": mask}
    own = Redshifts(*redshifts) if redshifts else None
    if isinstance(image, np.ndarray):
        if pixel_scale_arcsec is None:
            raise ValueError("pixel_scale_arcsec is needed for an array: the size of a pixel in arcsec")
        if not (pixel_scale_arcsec > 0 and image.ndim == 2 and np.isrealobj(image)):
            raise ValueError(
                f"an image of {image.dtype} of the shape {image.shape}, with pixels of {pixel_scale_arcsec:g} arcsec: "
                "two dimensions of real numbers and a positive scale are needed"
            )
        arrays = {kind: _array(kind, value) for kind, value in companions.items()}
        return fit_of_frame(make_frame(name, image, pixel_scale_arcsec, **arrays), own, radius_arcsec)
    given = {kind: str(path) for kind, path in companions.items() if path is not None}
    if not isinstance(image, str | Path):
        raise TypeError(f"the image is {type(image).__name__}: give an array, or a path")
    path = Path(image)
    entries = read_lenses(path, own_name(path), pixel_scale_arcsec=pixel_scale_arcsec, companions=given)
    if len(entries) > 1:
        raise ValueError(f"{path} has {len(entries)} lenses: give one of them, or run `oddlens fit {path}`")
    entry = with_unique_labels(entries)[0]
    return fit_of_frame(read_lens(entry), Redshifts(*entry.redshifts) if entry.redshifts else own, radius_arcsec)


def _array(kind: str, given: np.ndarray | str | Path | None) -> np.ndarray | None:
    """What belongs to an image that is an array."""
    if given is None or isinstance(given, np.ndarray):
        return given
    raise ValueError(f"{kind} is {type(given).__name__}, and the image an array: give both as arrays, or both as files")


def fit_entry(
    entry: LensEntry, folder: Path, redshifts: Redshifts | None = None, radius_arcsec: float | None = None
) -> FrameResult:
    """Fit a lens and write the files of the fit to a folder.

    Args:
        redshifts: if the entry has none.
    """
    own = Redshifts(*entry.redshifts) if entry.redshifts else redshifts
    result = fit_of_frame(read_lens(entry), own, radius_arcsec)
    write_fit(result, folder)
    with style.plt.rc_context(style.STYLE):
        style.save(lens_fit_figure(result), folder / FIGURE_FILE)
    return result


def fit_or_problem(entry: LensEntry, folder: Path, radius_arcsec: float | None, threads: int) -> None:
    """Fit a lens; the files of one that cannot be fitted say why."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    try:
        fit_entry(entry, folder, radius_arcsec=radius_arcsec)
    except REFUSALS as error:
        say(f"{entry.label}: could not be fitted: {one_line(error)}")
        write_problem(entry.label, one_line(error), folder)


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
        own = folder / entry.slug
        try:
            result = fit_entry(entry, own, redshifts, radius_arcsec)
        except REFUSALS as error:
            problems.append(f"{entry.label}: {one_line(error)}")
            continue
        texts.append(f"{entry.label}\n{numbers_text(result)}\nWritten: {own}")
    return texts, problems
