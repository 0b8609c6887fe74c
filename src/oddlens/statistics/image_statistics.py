"""Trivial statistics of images, by which no class should differ: brightness, sky, noise, position, distinct values."""

import numpy as np


def image_statistics(images: np.ndarray) -> dict[str, np.ndarray]:
    """Numbers of each image [n, p, p], by name, [n] each. Pixels that are NaN are ignored.

    * `flux`, `peak`, `minimum`: sum, highest and lowest value.
    * `border_median`, `border_scatter`: of the outer tenth on each side, the level and 1.4826 times the median absolute
      deviation.
    * `distinct_values`: the number of different values.
    * `lag1_correlation`: of neighbouring differences of pixels, which the correlation of the noise determines.
    * `centroid_x`, `centroid_y`: mean position of the light above the border's level, in pixels from the middle.
    * `saturated_share`: the part of the pixels that have the highest value.
    """
    images = np.where(np.isfinite(images), images, np.nan).astype(np.float64)
    used = np.isfinite(images)
    images[~used.any(axis=(1, 2))] = 0.0
    peak, minimum = np.nanmax(images, axis=(1, 2)), np.nanmin(images, axis=(1, 2))
    level, scatter = _border(images)
    light = np.nan_to_num(np.clip(images - level[:, None, None], 0, None))
    total = np.maximum(light.sum(axis=(1, 2)), 1e-300)
    place = np.arange(images.shape[1]) - (images.shape[1] - 1) / 2
    return {
        "flux": np.nansum(images, axis=(1, 2)),
        "peak": peak,
        "minimum": minimum,
        "border_median": level,
        "border_scatter": scatter,
        "distinct_values": np.array([len(np.unique(image[np.isfinite(image)])) for image in images], np.float64),
        "lag1_correlation": _lag1(images),
        "centroid_x": (light.sum(axis=1) * place).sum(axis=1) / total,
        "centroid_y": (light.sum(axis=2) * place).sum(axis=1) / total,
        "saturated_share": np.mean(images == peak[:, None, None], axis=(1, 2)),
    }


def _border(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The median and the scatter of the border of images [n, p, p]; those of all pixels where it is not known."""
    pixels = images.shape[1]
    place = np.arange(pixels)
    outer = np.minimum(place, place[::-1]) < max(1, round(pixels / 10))
    border = images[:, outer[:, None] | outer]
    unknown = ~np.isfinite(border).any(axis=1)
    level = np.nanmedian(np.where(unknown[:, None], 0.0, border), axis=1)
    level[unknown] = np.nanmedian(images[unknown], axis=(1, 2))
    deviation = np.abs(np.where(unknown[:, None], 0.0, border) - level[:, None])
    return level, np.where(unknown, 0.0, 1.4826 * np.nanmedian(deviation, axis=1))


def _lag1(images: np.ndarray) -> np.ndarray:
    """The correlation of neighbouring second differences along the rows, [n]; 0 without any."""
    difference = images[:, :, :-2] - 2 * images[:, :, 1:-1] + images[:, :, 2:]
    a, b = difference[:, :, 1:], difference[:, :, :-1]
    product, power = np.nansum(a * b, axis=(1, 2)), np.nansum(a * a, axis=(1, 2))
    return np.divide(product, power, out=np.zeros_like(product), where=power > 0)
