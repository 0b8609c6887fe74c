"""Real noise: what the outskirts of a frame look like on a data set's pixels, and images with such noise.

The whole frame is blurred and resampled as its lens is, so that what noise is correlated stays so. Tiles of it, off the
lens and unmasked, are laid over each other by half with weights whose squares add up to one: the variance is that of
the tiles everywhere, and so is, nearly, the correlation across seams.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

from oddlens.observations import frames
from oddlens.observations.frames import Frame, Target

OFF_LENS_ARCSEC = 3.0
"""Outskirts begin at this distance from the lens."""
WHOLE = 0.9
"""A pixel counts if so much of what the point-spread function gathers into it was seen."""
OBJECT_SIGMA = 5.0
"""What stands out by more is an object and no noise."""
TILE_FWHM = 2.0
"""Tiles are about so many full widths of the data set's point-spread function wide."""
ENOUGH = 15
"""Noise from fewer tiles that do not overlap would be the same noise in all images."""


@dataclass(frozen=True)
class Noise:
    """Noise of a frame, in the units and on the pixels of a data set."""

    windows: np.ndarray
    """All windows of a map, [h, w, side, side], a view."""
    places: np.ndarray
    """Which of them may be used, [n, 2]."""
    independent: float
    """How many of them do not overlap, about."""
    variance: float

    def draw(self, count: int, pixels: int, rng: np.random.Generator) -> np.ndarray:
        """Noise for images, [count, pixels, pixels]; tiles are mirrored at random, not turned: columns stay columns."""
        side = self.windows.shape[-1]
        half, across = side // 2, -(-pixels // (side // 2)) + 1
        weight = np.sin(np.pi * (np.arange(side) + 0.5) / side)
        weights = np.outer(weight, weight)
        made = np.zeros((count, (across + 1) * half, (across + 1) * half))
        for i, j in np.ndindex(across, across):
            y, x = self.places[rng.integers(len(self.places), size=count)].T
            chosen = self.windows[y, x]
            for axis in (1, 2):
                mirrored = rng.random(count) < 0.5
                chosen[mirrored] = np.flip(chosen[mirrored], axis)
            made[:, i * half : i * half + side, j * half : j * half + side] += weights * chosen
        return made[:, half : half + pixels, half : half + pixels]


def noise_of(frame: Frame, light: np.ndarray, centre: tuple[int, int], target: Target, factor: float) -> Noise:
    """The noise of a frame's outskirts.

    Args:
        light: of the lens, as it was subtracted, [h, w].
        factor: what the frame's brightness was multiplied by.

    Raises:
        ValueError: if the outskirts are too small.
    """
    scale, fwhm = target.camera.pixel_scale_arcsec, float(target.camera.psf.fwhm_arcsec.quantile(np.array(0.5)))
    side = 2 * max(2, round(TILE_FWHM * fwhm / scale / 2))
    half = max(max(c, n - 1 - c) for c, n in zip(centre, frame.image.shape, strict=True)) + 1
    pixels = 2 * int(half * frame.pixel_scale_arcsec / scale) + target.camera.pixels % 2
    camera = target.camera.model_copy(update={"pixels": max(pixels, side)})
    usable = ~frame.masked & (np.hypot(*frame.offsets_arcsec(centre)) > OFF_LENS_ARCSEC)
    seen, _ = frames.to_camera(frame, np.where(frame.masked, 0.0, frame.image - light), centre, camera)
    share, _ = frames.to_camera(frame, usable.astype(float), centre, camera)
    good = share > WHOLE * (scale / frame.pixel_scale_arcsec) ** 2
    if good.sum() >= side**2:
        middle = np.median(seen[good])
        sigma = 1.4826 * np.median(np.abs(seen[good] - middle))
        seen = seen - middle
        core = good & (np.abs(seen) > OBJECT_SIGMA * sigma)
        good &= ~ndimage.binary_propagation(core, mask=np.abs(seen) > 2 * sigma)
    allowed = sliding_window_view(good, (side, side)).all(axis=(2, 3))
    covered = np.zeros(good.shape, bool)
    for y, x in np.argwhere(allowed):
        covered[y : y + side, x : x + side] = True
    independent = covered.sum() / side**2
    if independent < ENOUGH:
        raise ValueError(
            f'{frame.name}: beyond {OFF_LENS_ARCSEC:g}" from the lens there is empty sky for {independent:.0f} '
            f'tiles of {side * scale:.2g}" that do not overlap; {ENOUGH} are needed'
        )
    sky = factor * (seen - seen[covered].mean())
    return Noise(sliding_window_view(sky, (side, side)), np.argwhere(allowed), independent, float(sky[covered].var()))


def observed(noise_free: np.ndarray, exposure_s: np.ndarray, sky_variance: np.ndarray, noise: Noise, rng) -> np.ndarray:
    """Simulated images with real noise, float32 [n, pixels, pixels].

    The light of the source has the data set's Poisson noise; in place of the sky's comes the frame's, and where that
    is fainter than the data set's, as much white noise as is missing, as real lenses get it (`frames.match`).

    Args:
        noise_free: [n, pixels, pixels], electrons / s.
        exposure_s: of each image, [n].
        sky_variance: of the noise that each image would have where it is dark, [n].
    """
    count, pixels = noise_free.shape[:2]
    exposure = np.reshape(exposure_s, (-1, 1, 1))
    light = rng.poisson(np.clip(noise_free, 0, None) * exposure) / exposure
    missing = np.sqrt(np.clip(sky_variance - noise.variance, 0, None)).reshape(-1, 1, 1)
    white = missing * rng.standard_normal(noise_free.shape)
    return (light + noise.draw(count, pixels, rng) + white).astype(np.float32)
