"""What rows make of the first test images of each class: reconstructions, residuals and anomaly maps."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from oddlens.files.artefacts import read_arrays
from oddlens.results.pages.explore.sprites import MAX_SIDE, TINY, brightness, sheets, signed

RESIDUAL_SPAN = 0.25
"""The residual, relative to the peak of the image, that is shown in black or white."""
MAP_RANGE = (0.01, 0.995)
"""The quantiles of an anomaly map that are shown in black and in white."""


def row_maps(paths: Iterable[str | Path]) -> dict[str, Any]:
    """The maps of rows: `sheets`, and the `places` of tiles: row, kind, class, number among the images of the class.

    Rows that make no maps have none, and a study keeps those of a few images only.

    Args:
        paths: the files of examples of each row of a data set, `oddlens.detectors.evaluation.examples`.
    """
    places: list[tuple[str, str, str, int]] = []
    tiles: list[np.ndarray] = []
    for arrays, about in map(read_arrays, paths):
        for kind, cls, number, tile in _of_row(arrays, about["classes"].split(",")):
            places.append((about["detector"], kind, cls, number))
            tiles.append(tile)
    side = min(max((tile.shape[-1] for tile in tiles), default=0), MAX_SIDE)
    return {"places": places, "sheets": sheets(lambda numbers: [tiles[k] for k in numbers], len(tiles), side)}


def _of_row(arrays: dict[str, np.ndarray], classes: list[str]) -> Iterator[tuple[str, str, int, np.ndarray]]:
    """The kind, the class, the number and the tile, [pixels, pixels] of 0 to 255, of each map of a row."""
    for c, cls in enumerate(classes):
        for k, image in enumerate(arrays["images"][c]):
            if not np.isfinite(image).all():  # a class has fewer images than another
                continue
            if "reconstructions" in arrays:
                made = arrays["reconstructions"][c, k]
                yield "reconstruction", cls, k, brightness(made[None], image[None])[0]
                yield "residual", cls, k, signed(image - made, RESIDUAL_SPAN * float(image.max()))
            if "anomaly_maps" in arrays:
                yield "anomaly map", cls, k, _stretched(arrays["anomaly_maps"][c, k])


def _stretched(values: np.ndarray) -> np.ndarray:
    values = np.nan_to_num(values)
    low, high = np.quantile(values, MAP_RANGE)
    return 255 * np.clip((values - low) / max(high - low, TINY), 0, 1)
