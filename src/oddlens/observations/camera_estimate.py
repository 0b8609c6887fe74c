"""The camera of images that come without one, and whether a stated camera can be that of the images.

A camera is the variance of a pixel's noise, gain * brightness + background, in the units of the images. In electrons
per second the gain is 1 / exposure. It is measured by photon transfer (`observations.photon_transfer`). Give it
training images only: test images must not tell a detector anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from oddlens.observations.image_scaling import common_extreme, grey_step, lowest_share
from oddlens.observations.photon_transfer import NoiseLine, NoisePixels, variance_factor

QUANTITIES = ("background", "gain", "lag1_correlation")
MAX_PIXELS = 2**22
"""The camera is estimated from images that have together no more pixels, evenly taken from all."""
MIN_NOISE_PIXELS = 2000
"""From fewer pixels no camera is estimated."""
GROUPS = 8
"""Uncertainties are the scatter between so many groups of images."""
MIN_CORRELATION, MAX_CORRELATION = 0.1, 0.9
"""Smaller correlations are not corrected for: light that the differences keep looks like them. Larger ones are those of
smooth light."""
MAX_ERROR = 0.5
"""A quantity is not known if its relative uncertainty is larger."""
MAX_CLIPPED = 0.05
"""If more pixels of an image have its lowest value, fainter ones were cut off."""
LENS_LIGHT = 2.0
"""If the noise without brightness in the middle has a larger variance, relative to the border, lens light was
subtracted."""
SPREAD_REPORTED = 2.0
"""A larger ratio of the noise variances of images is reported."""
TOLERANCE, TOLERANCE_ERRORS = 2.0, 3.0
"""A stated quantity may differ from the estimate by this factor, and by so many standard deviations."""


@dataclass(frozen=True)
class CameraEstimate:
    """The camera of a set of images, in their units. What cannot be known is NaN."""

    images: int
    """The number of images that it is estimated from."""
    background: float = np.nan
    """Variance of the noise of a pixel without light, of the median image. It includes sky, read noise, and the noise
    that subtracted lens light has left in the outermost pixels."""
    gain: float = np.nan
    """Increase of this variance per unit of brightness; 0 if the noise does not depend on it."""
    lag1_correlation: float = np.nan
    """Correlation between the noise of neighbouring pixels."""
    errors: Mapping[str, float] = field(default_factory=dict)
    """The standard deviations of the estimates, by `QUANTITIES`; NaN for one image."""
    correction: float = 1.0
    """The factor by which background and gain were corrected for correlated noise."""
    noise_spread: float = np.nan
    """Noise variance of images at equal brightness, 84th over 16th percentile: 1 for equal exposures."""
    background_is_limit: bool = False
    """Whether the background can be smaller, because the outermost pixels, too, have noise of subtracted lens light."""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """The reason for each quantity that is not known."""
    notes: tuple[str, ...] = ()
    """Sentences about what deviates from a simple camera."""

    def without(self, reason: str, *quantities: str) -> "CameraEstimate":
        """The same without some quantities, for a reason."""
        values: dict[str, Any] = dict.fromkeys(quantities, np.nan)
        return replace(self, **values, unknown={**dict.fromkeys(quantities, reason), **self.unknown})


def estimate_camera(images: np.ndarray) -> CameraEstimate:
    """The camera of images [n, h, w]. Pixels that are NaN are ignored."""
    size = max(1, int(np.prod(images.shape[1:])))
    step = max(1, -(-len(images) * size // MAX_PIXELS))
    chosen = np.asarray(images[::step], np.float64)
    nothing = CameraEstimate(len(chosen))
    if len(chosen) == 0 or min(chosen.shape[1:]) < 8:
        return nothing.without("there are no images of at least 8 x 8 pixels", *QUANTITIES)
    pixels = NoisePixels.of(chosen)
    used = int(np.isfinite(pixels.structure).sum())
    if used < MIN_NOISE_PIXELS:
        return nothing.without(
            f"only {used} pixels have known neighbours, at least {MIN_NOISE_PIXELS} are needed", *QUANTITIES
        )
    if not np.nanmax(np.abs(pixels.differences)) > 0:
        return nothing.without("neighbouring pixels have equal values: the images have no noise", *QUANTITIES)
    return _judged(_measured(pixels), chosen)


def _measured(pixels: NoisePixels) -> CameraEstimate:
    """The camera of pixels with noise, as measured."""
    line = NoiseLine.fitted(pixels)
    count = len(line.factor)
    groups = min(GROUPS, count)
    parts = [pixels.take(slice(k, None, groups)) for k in range(groups)] if count > 1 else []
    every = [_values(NoiseLine.fitted(part), part) for part in parts]
    errors = np.std(every, axis=0, ddof=1) / np.sqrt(groups) if parts else np.full(3, np.nan)
    background, gain, correlation = _values(line, pixels)
    kept = variance_factor(correlation) if correlation > max(MIN_CORRELATION, 3 * np.nan_to_num(errors[2])) else 1.0
    low, high = np.quantile(line.factor, [0.16, 0.84])
    return CameraEstimate(
        count,
        background / kept,
        gain / kept,
        correlation,
        dict(zip(QUANTITIES, map(float, errors / [kept, kept, 1]), strict=True)),
        correction=1 / kept,
        noise_spread=float(high / low) if low > 0 else np.inf,
        background_is_limit=bool(line.intercepts[0] > LENS_LIGHT * line.intercepts[-1] > 0),
    )


def _values(line: NoiseLine, pixels: NoisePixels) -> tuple[float, float, float]:
    """The `QUANTITIES`, without a correction for correlated noise."""
    return line.background, line.gain, line.lag1_correlation(pixels)


# --- what cannot be known --------------------------------------------------------------------------------------------


def _judged(camera: CameraEstimate, images: np.ndarray) -> CameraEstimate:
    """The camera without what the images [n, h, w] cannot tell, with sentences about the rest."""
    if camera.lag1_correlation > MAX_CORRELATION:
        return camera.without("the images are smooth from pixel to pixel: free of noise, or resampled", *QUANTITIES)
    noise, step = np.sqrt(max(camera.background, 0.0)), grey_step(images)
    if step > noise:
        reason = f"the grey steps of the images, {step:.3g}, are coarser than the noise"
        return camera.without(reason, *QUANTITIES)
    clipped = lowest_share(images)
    if clipped > MAX_CLIPPED:
        reason = f"up to {clipped:.0%} of an image's pixels have its lowest value: fainter ones were cut off"
        camera = camera.without(reason, "background", "lag1_correlation")
    if (peak := common_extreme(images, np.fmax)) is not None:
        reason = f"the images have equal brightest pixels, {peak:.3g}: scaled one by one, each has its own gain"
        camera = replace(camera.without(reason, "gain"), notes=("The background is that of the median image.",))
    if (low := common_extreme(images, np.fmin)) is not None:
        reason = f"the images have equal faintest pixels, {low:.3g}: they were shifted or cut off one by one"
        camera = camera.without(reason, "background")
    camera = _significant(camera, images)
    return replace(camera, notes=(*camera.notes, *_notes(camera)))


def _significant(camera: CameraEstimate, images: np.ndarray) -> CameraEstimate:
    """The camera without gain or background where they are not told apart from 0."""
    gain_error, background_error = camera.errors["gain"], camera.errors["background"]
    if camera.gain <= 2 * gain_error or camera.gain <= 0:
        spread = np.nanquantile(images, 0.99) - np.nanmedian(images)
        if gain_error * spread > camera.background:
            reason = f"the images are too faint or too few: {camera.gain:.3g} +- {gain_error:.2g} is measured"
            camera = camera.without(reason, "gain")
        else:
            camera = replace(camera, gain=0.0, notes=(*camera.notes, "The noise does not depend on the brightness."))
    elif gain_error > MAX_ERROR * camera.gain:
        camera = camera.without(f"its relative uncertainty is {gain_error / camera.gain:.0%}", "gain")
    if camera.background <= 0 or background_error > MAX_ERROR * camera.background:
        reason = (
            f"no pixels are faint enough: {camera.background:.3g} +- {background_error:.2g} is measured; if the images "
            "include the sky, subtract it (normalise: sky)"
        )
        camera = camera.without(reason, "background")
    return camera


def _notes(camera: CameraEstimate) -> Iterator[str]:
    if camera.correction > 1:
        yield (
            f"The noise of neighbouring pixels correlates by {camera.lag1_correlation:.2f}, as after resampling. "
            f"Background and gain are corrected for it, by a factor of {camera.correction:.2g}."
        )
    if camera.background_is_limit and np.isfinite(camera.background):
        yield (
            "The noise without brightness is larger in the middle, as where lens light was subtracted. The background "
            "is that of the outermost pixels, an upper limit."
        )
    if camera.noise_spread > SPREAD_REPORTED:
        yield (
            f"Images differ in the variance of their noise by a factor of {camera.noise_spread:.2g} (84th over 16th "
            "percentile), as with several exposures. Background and gain are those of the median image."
        )


# --- stated cameras --------------------------------------------------------------------------------------------------


def contradictions(stated: Mapping[str, float], estimate: CameraEstimate) -> list[str]:
    """A sentence for each stated `background` or `gain` that the images contradict.

    Values contradict each other if they differ by more than `TOLERANCE`, and by more than the uncertainty. What cannot
    be estimated contradicts nothing.
    """
    found = []
    for name in ("background", "gain"):
        value, measured = stated.get(name, np.nan), getattr(estimate, name)
        if not np.isfinite(value) or not np.isfinite(measured):
            continue
        margin = TOLERANCE_ERRORS * np.nan_to_num(estimate.errors[name])
        low = -np.inf if name == "background" and estimate.background_is_limit else (measured - margin) / TOLERANCE
        if not low <= value <= (measured + margin) * TOLERANCE:
            meaning = _exposures(value, measured) if name == "gain" else ", the noise variance without light"
            found.append(f"{name} {value:.3g} is stated, but that of the images is {measured:.3g}{meaning}")
    return found


def _exposures(stated: float, measured: float) -> str:
    """The exposures of gains, if the images are in electrons / s."""
    if min(stated, measured) <= 0:
        return ", the noise variance per unit of brightness"
    return f"; in electrons / s these are exposures of {1 / stated:.4g} s and {1 / measured:.4g} s"
