"""Simulate and fit twins of a real lens (`oddlens.observations.modelling.planted`)."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from oddlens.observations.frames import read_lens
from oddlens.observations.lens_index import LensEntry
from oddlens.observations.modelling.frame_pixels import pixels_of_frame
from oddlens.observations.modelling.memory import keep_freed_memory
from oddlens.observations.modelling.planted import TWIN_COLUMNS, fit_twins
from oddlens.observations.modelling.result_files import read_fit
from oddlens.observations.modelling.twins import TwinMaker
from oddlens.results.tables.result_files import write_result


def write_twins(
    path: Path | str,
    entry: LensEntry,
    fit: Path,
    *,
    seed: int,
    numbers: Sequence[int],
    planted: bool,
    radius_arcsec: float | None,
    threads: int,
) -> None:
    """Write a table with a line for each twin; it is empty if the lens could not be fitted.

    Args:
        fit: the folder of the fit of the lens.
        seed, numbers, planted: see `fit_twins`.
        radius_arcsec: with which the lens was fitted.
    """
    torch.set_num_threads(threads)
    keep_freed_memory()
    lens, lines = read_fit(fit).lens, []
    if lens is not None:
        pixels, _ = pixels_of_frame(read_lens(entry))
        maker = TwinMaker(pixels, lens)
        lines = fit_twins(maker, entry.label, seed, numbers, planted, radius_arcsec)
    write_result(path, pd.DataFrame(lines).reindex(columns=TWIN_COLUMNS))
