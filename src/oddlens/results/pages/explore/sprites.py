"""Thumbnails of the test images of a data set, many in one picture (a sprite sheet)."""

import base64
import io
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from PIL import Image

from oddlens.data.twins import Twins

MAX_SIDE = 64
"""Larger images are averaged down to so many pixels."""
COLUMNS = 32
"""The tiles in a line of a sheet."""
PER_SHEET = COLUMNS**2
"""The tiles of a full sheet."""
QUALITY = 50
"""Of WebP. Noise compresses badly: 32 x 32 pixels take about 150 bytes."""
DIFFERENCE_SIGMA = 5.0
"""The difference, in units of the noise of a pixel, that is shown in black or white."""
MID_GREY = 128
TINY = np.finfo(np.float32).tiny


def sprites(twins: Twins) -> dict[str, Any]:
    """The sheets of the test images, in the order of their table: brightness and, of simulated images, the difference
    to the twin without substructure.

    Returns:
        `side`, the pixels of a tile; `pixels`, those of an image; `columns`; `per_sheet`, the tiles of a full sheet;
        `image` and `difference`, the sheets as base64 of WebP files. There is no `difference` without twins.
    """
    images = twins.images
    side = min(images.shape[-1], MAX_SIDE)

    def image(rows: np.ndarray) -> np.ndarray:
        return brightness(images[rows], images[twins.twin[rows]] if twins.exist else images[rows])

    def difference(rows: np.ndarray) -> np.ndarray:
        return signed(twins.difference(rows), DIFFERENCE_SIGMA * twins.sigma[rows])

    made = {"side": side, "pixels": images.shape[-1], "columns": COLUMNS, "per_sheet": PER_SHEET}
    made["image"] = sheets(image, len(images), side)
    if twins.exist:
        made["difference"] = sheets(difference, len(images), side)
    return made


def sheets(
    tiles: Callable[[np.ndarray], Iterable[np.ndarray]], count: int, side: int, quality: int = QUALITY
) -> list[str]:
    """Sheets of `count` tiles of `side` pixels, where `tiles` gives those of some numbers, [pixels, pixels] of 0 to
    255."""
    numbers = [np.arange(first, min(first + PER_SHEET, count)) for first in range(0, count, PER_SHEET)]
    return [_sheet([_resized(tile, side) for tile in tiles(of_sheet)], quality) for of_sheet in numbers]


def brightness(images: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Images [n, pixels, pixels] as 0 to 255: the square root of the brightness, relative to the peak of reference
    images, so that those with one reference have one scale. Unknown pixels are black."""
    peak = np.maximum(_known(reference).max(axis=(1, 2), keepdims=True), TINY)
    return 255 * np.sqrt(np.clip(_known(images) / peak, 0, 1))


def signed(values: np.ndarray, span: np.ndarray | float) -> np.ndarray:
    """Values from -span to span as 0 to 255; zero, and what is unknown, is grey."""
    return MID_GREY + (255 - MID_GREY) * np.clip(_known(values / np.maximum(span, TINY)), -1, 1)


def _known(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values, nan=0, posinf=0, neginf=0)


def _resized(tile: np.ndarray, side: int) -> np.ndarray:
    """A tile [pixels, pixels], averaged down to [side, side] where it is larger."""
    if tile.shape[-1] == side:
        return tile
    return np.asarray(Image.fromarray(tile.astype(np.float32)).resize((side, side), Image.Resampling.BOX))


def _sheet(tiles: list[np.ndarray], quality: int) -> str:
    """Tiles [side, side] of 0 to 255 in lines of `COLUMNS`, as base64 of a WebP file."""
    side, lines = len(tiles[0]), -(-len(tiles) // COLUMNS)
    sheet = np.zeros((lines * side, COLUMNS * side), np.uint8)
    for k, tile in enumerate(tiles):
        y, x = side * (k // COLUMNS), side * (k % COLUMNS)
        sheet[y : y + side, x : x + side] = np.rint(tile)
    written = io.BytesIO()
    Image.fromarray(sheet).save(written, "WEBP", quality=quality, method=4)
    return base64.b64encode(written.getvalue()).decode()
