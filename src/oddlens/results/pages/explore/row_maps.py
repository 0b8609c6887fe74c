"""What rows make of test images: sheets of reconstructions, residuals and anomaly maps."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oddlens.data import splits
from oddlens.data.training_sets import parse_training_set
from oddlens.data.twins import Twins
from oddlens.files.artefacts import read_arrays
from oddlens.results.pages.explore.packing import packed
from oddlens.results.pages.explore.sprites import DIFFERENCE_SIGMA, TINY, brightness, sheets, signed

MAP_RANGE = (0.01, 0.995)
"""The quantiles of the anomaly maps of a row that are shown in black and in white."""
QUALITY = 40
"""Of WebP. 16 x 16 pixels take about 60 bytes."""


def row_maps(paths: Iterable[str | Path], twins: Twins, models: pd.DataFrame) -> list[dict[str, Any]]:
    """The pictures of each row that has any.

    Reconstructions are as bright as the images. Residuals have the scale of the differences between twins, in units of
    the noise. The anomaly maps of a row have one scale, the square root between two quantiles of all of them, so that
    its images can be compared.

    Args:
        paths: the files of the rows of a data set, by `oddlens.detectors.evaluation.kept_maps`.
        twins: its test images.
        models: the table of its models.

    Returns:
        For each row its `row`; `model`, the line of its model in the table; `images`, packed lines [n] of the images
        in the table of `twins`; and the `sheets` of tiles of each kind: `reconstruction`, `residual`, `map`.
    """
    found = (_of_row(*read_arrays(path), twins, models) for path in paths)
    return [maps for maps in found if maps]


def _of_row(
    arrays: dict[str, np.ndarray], about: dict[str, Any], twins: Twins, models: pd.DataFrame
) -> dict[str, Any] | None:
    if not arrays.keys() & {"residuals", "anomaly_maps"}:
        return None
    classes = np.array(about["classes"].split(","))[arrays["class"]]
    images = pd.DataFrame({"pool": "test", "class": classes, "index": arrays["index"]})
    rows = splits.rows_of(twins.table, images)
    tiles = {}
    if "reconstructions" in arrays:
        reference = twins.images[twins.twin[rows] if twins.exist else rows]
        tiles["reconstruction"] = brightness(arrays["reconstructions"], reference)
    if "residuals" in arrays:
        tiles["residual"] = signed(arrays["residuals"], DIFFERENCE_SIGMA)
    if "anomaly_maps" in arrays:
        tiles["map"] = _stretched(arrays["anomaly_maps"])
    return {
        "row": about["detector"],
        "model": _model_of(about, models),
        "images": packed(rows.astype(np.uint32)),
        "sheets": {kind: sheets(own.__getitem__, len(own), own.shape[-1], QUALITY) for kind, own in tiles.items()},
    }


def _model_of(about: dict[str, Any], models: pd.DataFrame) -> int:
    """The line of the model whose pictures a file has."""
    contaminant, fraction = parse_training_set(about["training_set"])
    found = (models["detector"] == about["detector"]) & (models["seed"] == about["seed"])
    found &= (models["contaminant"] == contaminant) & np.isclose(models["contamination"], fraction)
    return int(np.flatnonzero(found)[0])


def _stretched(maps: np.ndarray) -> np.ndarray:
    """Maps [n, side, side] as 0 to 255: a square root with one scale. What is unknown is black."""
    known = maps[np.isfinite(maps)]
    low, high = np.quantile(known, MAP_RANGE) if len(known) else (0.0, 0.0)
    return 255 * np.sqrt(np.clip(np.nan_to_num((maps - low) / max(high - low, TINY), nan=0), 0, 1))
