"""Whether images are in electrons / s, as those of a camera are, or were scaled to a range or are in another unit.

The noise of pixels tells the unit: the variance of photon noise is proportional to brightness with a known factor.
It is measured by second differences along both axes, in which smooth light cancels (Immerkaer 1996, CVIU 64, 300).
Images that were scaled one by one are also known by their exact extremes, such as 0 and 1.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

MAX_PEAK_RATIO = 100
"""The brightest pixel of an image may differ by this factor from the expected one."""
MIN_NOISE_RATIO, MAX_NOISE_RATIO = 0.5, 4.0
"""Allowed noise of an image in units of the expected noise. The images of models A and B, 26,000 of them, have 0.79 to
1.28; noise of subtracted lens light, which is not expected, can double it."""
MIN_NOISE_PIXELS = 64
"""The noise of fewer pixels is not judged."""
MAX_PEDESTAL_SIGMA, MAX_PEDESTAL_FRACTION = 10.0, 0.05
"""The faintest pixel may exceed 0 by this many standard deviations of the sky's noise, or by this fraction of the
brightest. Light can fill an image: those of models A and B have up to 7.3 standard deviations."""
MAX_DEPRESSION_SIGMA = 3.0
"""The median of the border may be below 0 by this many standard deviations of the sky's noise."""
MAX_ZEROS = 0.01
"""The fraction of pixels that may be exactly 0 if none is below."""
FULL_SCALES = (1.0, 255.0)
"""The brightest pixel of images that were scaled to a range."""
STANDARDISED = 2e-3
"""The largest deviation of the mean from 0, and of the standard deviation from 1, of standardised images."""
ROUNDING = 1e-6
"""The relative error of extremes."""
SCALED_SET = {"brightest": 3, "faintest": 8}
"""So many different images have the same brightest or faintest pixel only if they were scaled one by one."""
BLOCK = 32
"""Images that are checked at once."""
SET_SIZE = 256
"""The first images of a file, which are compared with each other."""
REMEDY = "give images in electrons / s before any scaling"


@dataclass(frozen=True)
class ExpectedPixels:
    """What is known of the pixels of a camera's images, in electrons / s."""

    peak: float
    """A typical brightest pixel."""
    gain: float = 0.0
    """A pixel of expected brightness m has the noise variance gain * m + background; 0 if this is not known."""
    background: float = 0.0

    @property
    def noise_is_known(self) -> bool:
        """Whether the images have noise of a known variance."""
        return self.gain > 0 and self.background > 0


def unit_problems(images: np.ndarray, expected: ExpectedPixels) -> Iterator[str]:
    """For each image [n, h, w], why it is not in electrons / s as expected; empty if it may be.

    Pixels that are not finite are ignored.
    """
    for start in range(0, len(images), BLOCK):
        with np.errstate(over="ignore"):
            block = np.array(images[start : start + BLOCK], np.float32)
        finite = np.isfinite(block)
        block[~finite] = np.nan
        for image, used, noise in zip(block, finite, _noise_ratios(block, expected), strict=True):
            yield _problem(image[used], image, float(noise), expected)


def check_units(image: np.ndarray, expected: ExpectedPixels) -> None:
    """Raise a ValueError if an image [h, w] is not in electrons / s as expected."""
    if problem := next(unit_problems(image[None], expected)):
        raise ValueError(problem)


def check_set(images: np.ndarray) -> None:
    """Check that images [n, h, w] of one file were not scaled one by one.

    Raises:
        ValueError: if the brightest or the faintest pixels of the first `SET_SIZE` images are all equal.
    """
    count = len(images[:SET_SIZE])
    moments = [(image.sum(dtype=np.float64), image.max(), image.min()) for image in images[:SET_SIZE]]
    sums, *extremes = np.array(moments, np.float64).reshape(count, 3).T
    if count < 2 or not np.isfinite(sums).all() or _are_equal(sums):
        return  # copies of one image, perhaps rotated, have equal extremes
    for name, values in zip(SCALED_SET, extremes, strict=True):
        if count >= SCALED_SET[name] and _are_equal(values):
            raise ValueError(
                f"the {name} pixels of {count} images are all {values[0]:.3g}: they were scaled or clipped one "
                f"by one, which loses their brightness and noise: {REMEDY}"
            )


def _are_equal(values: np.ndarray) -> bool:
    return bool(np.ptp(values) <= ROUNDING * np.abs(values).max())


def _problem(pixels: np.ndarray, image: np.ndarray, noise_ratio: float, expected: ExpectedPixels) -> str:
    """Why an image is not in electrons / s; `pixels` are those that are finite."""
    if not pixels.size:
        return ""
    low, peak = float(pixels.min()), float(pixels.max())
    if problem := _scaled(pixels, low, peak, expected):
        return problem
    if not 1 / MAX_PEAK_RATIO < peak / expected.peak < MAX_PEAK_RATIO:
        return (
            f"its brightest pixel is {peak:.3g}, but about {expected.peak:.3g} electrons / s are expected: convert it "
            "to that unit"
        )
    if not expected.noise_is_known:
        return ""
    return _wrong_sky(pixels, image, low, peak, expected) or _wrong_noise(noise_ratio)


def _scaled(pixels: np.ndarray, low: float, peak: float, expected: ExpectedPixels) -> str:
    """Whether an image was scaled to a range or standardised. Whole numbers of electrons were not."""
    full = next((full for full in FULL_SCALES if abs(peak - full) <= ROUNDING * full), None)
    if full and not (expected.noise_is_known and _are_whole((pixels - low) / expected.gain)):
        return f"its pixels range from {low:.3g} to exactly {full:g}: it was scaled by its own maximum: {REMEDY}"
    mean = pixels.mean()
    if abs(mean) < STANDARDISED and abs(pixels.std() - 1) < STANDARDISED:
        return f"its pixels have the mean 0 and the standard deviation 1: it was standardised: {REMEDY}"
    return ""


def _are_whole(counts: np.ndarray) -> bool:
    return bool(np.abs(counts - np.rint(counts)).max() < 0.05)


def _wrong_sky(pixels: np.ndarray, image: np.ndarray, low: float, peak: float, expected: ExpectedPixels) -> str:
    """Whether the sky was not subtracted, or too much of it, or negative pixels were clipped."""
    sigma = math.sqrt(expected.background)
    zeros = np.count_nonzero(pixels == 0) if low == 0 else 0
    if zeros > MAX_ZEROS * pixels.size:
        return (
            f"{zeros} of its {pixels.size} pixels are exactly 0 and none is negative, unlike noise around a subtracted "
            f"sky: it was clipped, or masked by zeros: {REMEDY}"
        )
    if low > max(MAX_PEDESTAL_SIGMA * sigma, MAX_PEDESTAL_FRACTION * peak):
        return (
            f"its faintest pixel is {low:.3g}, {low / sigma:.0f} times the noise of the sky above 0: subtract the sky"
        )
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    border = border[np.isfinite(border)]
    level = float(np.median(border)) if border.size else 0.0
    if level < -MAX_DEPRESSION_SIGMA * sigma:
        return (
            f"the median of its border is {level:.3g}, {-level / sigma:.0f} times the noise of the sky below 0: too "
            "much sky was subtracted, or the image was standardised: subtract the median of pixels without light"
        )
    return ""


def _wrong_noise(ratio: float) -> str:
    """Whether the noise is too low or too high; `ratio` is in units of the expected noise, NaN if unknown."""
    if ratio < MIN_NOISE_RATIO:
        return (
            f"the noise of its pixels is {ratio:.2g} times that of the camera at their brightness: it is in another "
            "unit, or free of noise, or smoothed: give the image as observed, in electrons / s"
        )
    if ratio > MAX_NOISE_RATIO:
        return (
            f"the noise of its pixels is {ratio:.2g} times that of the camera at their brightness: it is in another "
            "unit, as counts are, or of a shorter exposure: convert it to electrons / s"
        )
    return ""


def _noise_ratios(images: np.ndarray, expected: ExpectedPixels) -> np.ndarray:
    """The noise of images [n, h, w] in units of the expected noise, [n]; NaN if one is not known."""
    if not expected.noise_is_known or min(images.shape[1:]) < 3:
        return np.full(len(images), np.nan)
    curvature, mean = images, images
    for axis in (1, 2):
        curvature, mean = _three(curvature, axis, -2.0), _three(mean, axis, 1.0)
    noise = np.sqrt(expected.gain * np.clip(mean / 9, 0, None) + expected.background)
    ratios = (np.abs(curvature) / (6 * noise)).reshape(len(images), -1)  # 6^2 is the sum of the squared weights
    known = np.isfinite(ratios).sum(axis=1) >= MIN_NOISE_PIXELS
    medians = np.full(len(images), np.nan)
    rows = ratios[known]
    medians[known] = np.nanmedian(rows, axis=1) if np.isnan(rows).any() else np.median(rows, axis=1)
    return medians / 0.6745


def _three(images: np.ndarray, axis: int, weight: float) -> np.ndarray:
    """The sum of three neighbours along an axis, the middle one weighted."""
    before, middle, after = (np.moveaxis(images, axis, 0)[k : images.shape[axis] - 2 + k] for k in range(3))
    return np.moveaxis(before + weight * middle + after, 0, axis)
