"""Whether images were scaled one by one, shifted, cut off at a value, or reduced to few grey steps."""

import numpy as np

ROUNDING = 1e-6
"""The relative error of extremes."""
MIN_EQUAL = 0.9
"""The part of the images that must share an extreme."""
MAX_GREYS = 2**16
"""Images with more different values have no grey steps."""
STEP_IMAGES = 32
"""Grey steps are looked for in so many images."""
MAX_OFF_STEP = 0.05
"""Differences of values that are multiples of a step differ from whole numbers by at most this part of it."""


def common_extreme(images: np.ndarray, reduce: np.ufunc) -> float | None:
    """The brightest or faintest value if different images [n, h, w] share it, most of them; None if they do not.

    Args:
        images: some pixels may be NaN.
        reduce: `np.fmax` or `np.fmin`.
    """
    values = reduce.reduce(images, axis=(1, 2))
    totals = np.nansum(images, axis=(1, 2), dtype=np.float64)
    known = np.isfinite(values)
    if known.sum() < 2 or _are_equal(totals[known]):  # copies of one image
        return None
    common = float(np.quantile(values[known], 0.5, method="nearest"))
    equal = np.abs(values[known] - common) <= ROUNDING * max(abs(common), np.abs(totals[known]).max() / images[0].size)
    return common if equal.mean() >= MIN_EQUAL else None


def _are_equal(values: np.ndarray) -> bool:
    return bool(np.ptp(values) <= ROUNDING * np.abs(values).max())


def grey_step(images: np.ndarray) -> float:
    """The median step between the grey values of images [n, h, w]; 0 if most of them have no steps."""
    chosen = images[:: max(1, len(images) // STEP_IMAGES)][:STEP_IMAGES]
    return float(np.median([_step(image[np.isfinite(image)]) for image in chosen])) if len(chosen) else 0.0


def _step(pixels: np.ndarray) -> float:
    """The step of which all differences of values [m] are multiples; 0 if there is none."""
    values = np.unique(pixels)
    if not 2 <= len(values) <= min(MAX_GREYS, len(pixels) // 2):
        return 0.0
    gaps = np.diff(values.astype(np.float64))
    gaps = gaps[gaps > ROUNDING * np.abs(values).max()]
    if not len(gaps):
        return 0.0
    multiples = gaps / gaps.min()
    return float(gaps.min()) if np.all(np.abs(multiples - np.rint(multiples)) < MAX_OFF_STEP) else 0.0


def lowest_share(images: np.ndarray) -> float:
    """The part of the known pixels that have the lowest value of their image [n, h, w], 90th percentile of the images.

    Where light fills some images, cutting off the noise below 0 changes the others only.
    """
    known = np.isfinite(images).sum(axis=(1, 2))
    low = np.sum(images == np.fmin.reduce(images, axis=(1, 2), keepdims=True), axis=(1, 2))
    return float(np.quantile(low[known > 0] / known[known > 0], 0.9)) if known.any() else 0.0
