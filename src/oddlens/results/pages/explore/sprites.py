"""Thumbnails of the test images of a data set, many in one picture (a sprite sheet)."""

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from oddlens.data.twins import Twins

MAX_SIDE = 64
"""Larger images are averaged down to so many pixels."""
COLUMNS = 32
"""The tiles in a line of a sheet. A sheet has at most as many lines."""
QUALITY = 50
"""Of WebP. Noise compresses badly: 32 x 32 pixels take about 150 bytes."""
DIFFERENCE_SIGMA = 5.0
"""The difference, in units of the noise of a pixel, that is shown in black or white."""
MID_GREY = 128


def sprites(twins: Twins) -> dict[str, Any]:
    """The sheets of the test images, in the order of their table: brightness and, of simulated images, the difference
    to the twin without substructure.

    Returns:
        `side`, the pixels of a tile; `pixels`, those of an image; `columns`; `per_sheet`, the tiles of a full sheet;
        `image` and `difference`, the sheets as base64 of WebP files. There is no `difference` without twins.
    """
    images = twins.images
    side, per_sheet = min(images.shape[-1], MAX_SIDE), COLUMNS**2
    sheets = [np.arange(first, min(first + per_sheet, len(images))) for first in range(0, len(images), per_sheet)]

    def drawn(tiles: Callable[[np.ndarray], np.ndarray]) -> list[str]:
        return [_sheet([_resized(tile, side) for tile in tiles(rows)]) for rows in sheets]

    made = {"side": side, "pixels": images.shape[-1], "columns": COLUMNS, "per_sheet": per_sheet}
    made["image"] = drawn(lambda rows: _brightness(images[rows], images[twins.twin[rows]] if twins.exist else None))
    if twins.exist:
        made["difference"] = drawn(lambda rows: _difference(twins.difference(rows), twins.sigma[rows]))
    return made


def _brightness(images: np.ndarray, twins: np.ndarray | None) -> np.ndarray:
    """Images [n, pixels, pixels] as 0 to 255: the square root of the brightness, relative to the peak of the twin
    without substructure, if there is one, so that twins have one scale. Unknown pixels are black."""
    known = np.nan_to_num(images, nan=0, posinf=0, neginf=0)
    reference = known if twins is None else np.nan_to_num(twins)
    peak = np.maximum(reference.max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)
    return 255 * np.sqrt(np.clip(known / peak, 0, 1))


def _difference(difference: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Differences [n, pixels, pixels] as 0 to 255, in units of the noise; zero is grey."""
    relative = difference / np.maximum(sigma, np.finfo(np.float32).tiny)
    return MID_GREY + (255 - MID_GREY) * np.clip(np.nan_to_num(relative) / DIFFERENCE_SIGMA, -1, 1)


def _resized(tile: np.ndarray, side: int) -> np.ndarray:
    """A tile [pixels, pixels], averaged down to [side, side] where it is larger."""
    if tile.shape[-1] == side:
        return tile
    return np.asarray(Image.fromarray(tile.astype(np.float32)).resize((side, side), Image.Resampling.BOX))


def _sheet(tiles: list[np.ndarray]) -> str:
    """Tiles [side, side] of 0 to 255 in lines of `COLUMNS`, as base64 of a WebP file."""
    side, lines = len(tiles[0]), -(-len(tiles) // COLUMNS)
    sheet = np.zeros((lines * side, COLUMNS * side), np.uint8)
    for k, tile in enumerate(tiles):
        y, x = side * (k // COLUMNS), side * (k % COLUMNS)
        sheet[y : y + side, x : x + side] = np.rint(tile)
    written = io.BytesIO()
    Image.fromarray(sheet).save(written, "WEBP", quality=QUALITY, method=4)
    return base64.b64encode(written.getvalue()).decode()
