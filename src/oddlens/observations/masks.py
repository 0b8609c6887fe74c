"""Pixels of a frame that cannot be used, and frames whose lens is hidden by them."""

import numpy as np
from scipy import ndimage

FLAGGED_NOISE_RATIO = 1000
"""Noise maps mark pixels that must not be used by a huge value (1e8, 1e16): by this factor above the lowest tenth."""
CONSTANT_PIXELS = 7
"""A square of this side in which all pixels are equal is padding or saturated, not sky: real pixels are noisy."""
CORE_ARCSEC = 0.35
"""Within this radius the lens-light residual follows no Sersic profile and is set to zero."""
ARCS_OUTER_ARCSEC, ARCS_MAX_PART = 2.5, 0.8
"""Arcs lie between `CORE_ARCSEC` and this radius, which is at most this part of the smaller half side of the frame."""
APERTURE_PART, MIN_APERTURE_ARCSEC = 0.95, 0.9
"""A mask may leave an aperture around the lens alone. The radius that holds this part of the usable pixels therefore
bounds the area of arcs, too, unless it is smaller than the second."""
MAX_HIDDEN = 1 / 3
"""The largest part of the radii and angles of arcs that may be unusable. Masks of companions hide up to a fifth."""
REPORTED_HIDDEN = 0.1
"""A larger unusable part of the area of arcs is reported."""


def unusable_pixels(
    image: np.ndarray, noise: np.ndarray | None, mask: np.ndarray | None, lens_light: np.ndarray | None
) -> tuple[np.ndarray, list[str]]:
    """The pixels [h, w] that cannot be used, and sentences about those that no file marks.

    Unusable are pixels that are masked (not 0), not finite, without positive noise or with a huge one, and squares of
    equal pixels.
    """
    masked = ~np.isfinite(image) | (False if mask is None else mask != 0)
    masked |= False if lens_light is None else ~np.isfinite(lens_light)
    constant = constant_squares(np.where(np.isfinite(image), image, 0.0))
    if noise is not None:
        masked |= ~(np.isfinite(noise) & (noise > 0))
        masked |= noise > FLAGGED_NOISE_RATIO * _low(noise[~masked & ~constant])
    constant &= ~masked
    note = f"{constant.mean():.1%} of the frame has constant brightness (padding or saturation) and is masked."
    return masked | constant, [note] if constant.any() else []


def _low(noise: np.ndarray) -> float:
    """The lowest tenth of the noise of usable pixels; infinite if there are none."""
    return float(np.percentile(noise, 10)) if noise.size else np.inf


def constant_squares(image: np.ndarray) -> np.ndarray:
    """The pixels [h, w] of squares of `CONSTANT_PIXELS` whose pixels are all equal."""
    side = CONSTANT_PIXELS
    same = ndimage.maximum_filter(image, side) == ndimage.minimum_filter(image, side)
    return ndimage.binary_dilation(same, np.ones((side, side)))


def check_lens_is_visible(name: str, masked: np.ndarray, mask: np.ndarray | None, pixel_scale_arcsec: float) -> str:
    """Check that unusable pixels do not cover the lens; returns a sentence if they cover much of it, or nothing.

    Radii count equally, so that a small ring counts as much as a large one.

    Args:
        masked: all unusable pixels, [h, w].
        mask: the given mask, [h, w].

    Raises:
        ValueError: if they cover it. It names the mask's convention if the mask seems to be inverted.
    """
    y, x = np.indices(masked.shape) - np.reshape(masked.shape, (2, 1, 1)) / 2 + 0.5
    radius = np.hypot(y, x) * pixel_scale_arcsec
    aperture = float(np.quantile(radius[~masked], APERTURE_PART))
    outer = min(ARCS_OUTER_ARCSEC, ARCS_MAX_PART * min(masked.shape) / 2 * pixel_scale_arcsec)
    arcs = (radius > CORE_ARCSEC) & (radius < min(outer, max(aperture, MIN_APERTURE_ARCSEC)))
    if not arcs.any():  # a frame of a few pixels, which is refused for its size
        return ""

    def part(pixels: np.ndarray) -> float:
        return float(np.average(pixels[arcs], weights=1 / radius[arcs]))

    hidden, beyond = part(masked), float(masked[radius >= outer].mean())
    where = f'of the area where arcs lie ({CORE_ARCSEC:g}" to {radius[arcs].max():.1f}" from the middle)'
    if hidden <= MAX_HIDDEN:
        return f"{hidden:.0%} {where} is masked." if hidden > REPORTED_HIDDEN else ""
    text = f"{name}: the lens is masked: {hidden:.0%} {where} and {beyond:.0%} of the frame beyond cannot be used"
    if mask is not None and part(mask != 0) > hidden / 2:
        raise ValueError(
            f"{text}. In a mask, 1 (anything but 0) means that a pixel is not used; this one seems to be inverted "
            "(1 = use): exchange 0 and 1, or leave the arcs free"
        )
    raise ValueError(f"{text} (not finite, constant, or without noise): give an image that shows the lens")
