"""Images of a file as the square images of a data set: cut, binned and normalised, never interpolated."""

from typing import Literal

import numpy as np

from oddlens.observations.background import sky_level

Fit = Literal["exact", "crop", "bin"]
Normalise = Literal["none", "sky", "peak"]


def fitted(image: np.ndarray, pixels: int, fit: Fit) -> tuple[np.ndarray, int]:
    """An image [h, w] as one of [pixels, pixels], and the number of pixels along an axis that each pixel adds up.

    Args:
        fit: `exact` takes images of this size alone; `crop` cuts out the centre; `bin` adds up the largest squares of
            whole pixels that fill the image, and cuts off the rest on all sides.

    Raises:
        ValueError: if the image does not fit.
    """
    side = min(image.shape)
    if fit == "exact":
        if image.shape != (pixels, pixels):
            remedy = "set files.fit to crop or bin" if side > pixels else "lower files.pixels"
            raise ValueError(f"it has {_size(image)} pixels, not {pixels} x {pixels}: {remedy}")
        return image, 1
    if side < pixels:
        raise ValueError(f"it has {_size(image)} pixels, fewer than {pixels} x {pixels}: lower files.pixels")
    factor = side // pixels if fit == "bin" else 1
    cut = _centre(image, factor * pixels)
    return cut.reshape(pixels, factor, pixels, factor).sum(axis=(1, 3)), factor


def _size(image: np.ndarray) -> str:
    return f"{image.shape[0]} x {image.shape[1]}"


def _centre(image: np.ndarray, side: int) -> np.ndarray:
    """The central square of an image; where it has no centre, the one nearest to row 0 and column 0."""
    top, left = ((length - side) // 2 for length in image.shape)
    return image[top : top + side, left : left + side]


def normalised(image: np.ndarray, how: Normalise) -> np.ndarray:
    """An image less the median of its border (`sky`), or divided by its maximum (`peak`).

    Raises:
        ValueError: if no pixel is above 0, for `peak`.
    """
    if how == "sky":
        return image - sky_level(image, np.isfinite(image))
    if how == "peak":
        peak = np.nanmax(image)
        if not peak > 0:
            raise ValueError(f"its brightest pixel is {peak:g}, so it cannot be divided by it")
        return image / peak
    return image
