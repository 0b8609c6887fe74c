"""Empirical noise: the real noise of a frame on the pixels of a data set, and simulated images with such noise.

The frame's background is blurred and resampled like its lens, so its noise stays correlated. The noise of an image is
composed of tiles: windows of the background, away from the lens, unmasked and without objects. Tiles overlap by half,
with weights whose squares sum to one. The variance is then that of the tiles everywhere, and the correlation across the
seams is nearly that of the background.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

from oddlens.lensing.camera import psf_fwhm_arcsec, typical_psf
from oddlens.observations.matching import MatchedFrame
from oddlens.observations.resampling import to_camera
from oddlens.observations.target import Target

MIN_DISTANCE_ARCSEC = 3.0
"""The background begins at this distance from the lens."""
MIN_PSF_COVERAGE = 0.9
"""A pixel is usable if at least this part of the light that the PSF gathers into it comes from usable frame pixels."""
OBJECT_SIGMA = 5.0
"""Pixels that deviate by more standard deviations belong to objects, not to the noise."""
TILE_FWHM = 2.0
"""Width of a tile, about, in units of the FWHM of the data set's PSF."""
MIN_TILES = 15
"""With fewer tiles that do not overlap, all images would have nearly the same noise."""


@dataclass(frozen=True)
class EmpiricalNoise:
    """The noise of a frame in the units and on the pixels of a data set."""

    windows: np.ndarray
    """All windows of the background map, [h, w, side, side], a view."""
    positions: np.ndarray
    """Rows and columns of the windows that may be used as tiles, [n, 2]."""
    independent_tiles: float
    """The number of tiles that do not overlap, about."""
    level: float
    """The mean of all tiles. It is subtracted: weights whose squares sum to one would nearly double it."""
    variance: float
    """Of the pixels of all tiles."""

    @classmethod
    def of(cls, windows: np.ndarray, positions: np.ndarray, independent_tiles: float) -> Self:
        """The noise of windows at some positions."""
        tiles = windows[tuple(positions.T)]
        level, variance = (float(tiles.mean()), float(tiles.var())) if tiles.size else (0.0, 0.0)
        return cls(windows, positions, independent_tiles, level, variance)

    def sample(self, count: int, pixels: int, rng: np.random.Generator) -> np.ndarray:
        """Noise of `count` images, [count, pixels, pixels].

        Tiles are flipped at random but not rotated, so the columns of a detector stay columns.
        """
        side = self.windows.shape[-1]
        half, tiles_across = side // 2, -(-pixels // (side // 2)) + 1
        weight = np.sin(np.pi * (np.arange(side) + 0.5) / side)
        weights = np.outer(weight, weight)
        noise = np.zeros((count, (tiles_across + 1) * half, (tiles_across + 1) * half))
        for i, j in np.ndindex(tiles_across, tiles_across):
            y, x = self.positions[rng.integers(len(self.positions), size=count)].T
            tiles = self.windows[y, x] - self.level  # [count, side, side]
            for axis in (1, 2):
                flipped = rng.random(count) < 0.5
                tiles[flipped] = np.flip(tiles[flipped], axis)
            noise[:, i * half : i * half + side, j * half : j * half + side] += weights * tiles
        return noise[:, half : half + pixels, half : half + pixels]

    def halves(self) -> tuple[Self, Self]:
        """The noise of the left and of the right half of the background, which share no pixel.

        Raises:
            ValueError: if a half has room for fewer than `MIN_TILES` tiles.
        """
        side, left = self.windows.shape[-1], self.positions[:, 1]
        cut = int(np.median(left)) + side // 2
        one, other = (self._part(chosen) for chosen in (left + side <= cut, left >= cut))
        if (tiles := min(one.independent_tiles, other.independent_tiles)) < MIN_TILES:
            raise ValueError(f"half of the empty sky has room for {tiles:.0f} tiles; at least {MIN_TILES} are needed")
        return one, other

    def _part(self, chosen: np.ndarray) -> Self:
        """The noise of some of the positions."""
        height, width, side, _ = self.windows.shape
        allowed = np.zeros((height, width), bool)
        allowed[tuple(self.positions[chosen].T)] = True
        return self.of(self.windows, self.positions[chosen], _covered(allowed, side) / side**2)


def measure_noise(matched: MatchedFrame, target: Target) -> EmpiricalNoise:
    """The noise of the background of a frame that was matched to a data set.

    Raises:
        ValueError: if the background has room for fewer than `MIN_TILES` tiles.
    """
    scale = target.camera.pixel_scale_arcsec
    typical = typical_psf(target.camera) | {"exposure_s": np.zeros(1)}
    fwhm = float(psf_fwhm_arcsec(target.camera, typical)[0])
    side = 2 * max(2, round(TILE_FWHM * fwhm / scale / 2))
    background, usable = _background(matched, target, side)
    allowed = sliding_window_view(usable, (side, side)).all(axis=(2, 3))
    positions = np.argwhere(allowed)
    independent = _covered(allowed, side) / side**2
    if independent < MIN_TILES:
        raise ValueError(
            f'{matched.frame.name}: the empty sky beyond {MIN_DISTANCE_ARCSEC:g}" from the lens has room for '
            f'{independent:.0f} tiles of {side * scale:.2g}" that do not overlap; at least {MIN_TILES} are needed: '
            "give a larger cut-out"
        )
    return EmpiricalNoise.of(
        sliding_window_view(matched.brightness_factor * background, (side, side)), positions, independent
    )


def _covered(allowed: np.ndarray, side: int) -> int:
    """The number of pixels that the windows at the allowed positions cover."""
    covered = np.zeros(tuple(n + side - 1 for n in allowed.shape), bool)
    for y, x in np.argwhere(allowed):
        covered[y : y + side, x : x + side] = True
    return int(covered.sum())


def _background(matched: MatchedFrame, target: Target, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The whole frame without lens light on the data set's pixels, and whether each pixel is usable background."""
    frame, centre, scale = matched.frame, matched.centre, target.camera.pixel_scale_arcsec
    half = max(max(c, n - 1 - c) for c, n in zip(centre, frame.image.shape, strict=True)) + 1
    pixels = 2 * int(half * frame.pixel_scale_arcsec / scale) + target.camera.pixels % 2
    camera = target.camera.model_copy(update={"pixels": max(pixels, side)})
    far = ~frame.masked & (np.hypot(*frame.offsets_arcsec(centre)) > MIN_DISTANCE_ARCSEC)
    background, _ = to_camera(frame, np.where(frame.masked, 0.0, frame.image - matched.lens_light), centre, camera)
    coverage, _ = to_camera(frame, far.astype(float), centre, camera)
    usable = coverage > MIN_PSF_COVERAGE * (scale / frame.pixel_scale_arcsec) ** 2
    if usable.sum() >= side**2:
        median = np.median(background[usable])
        sigma = 1.4826 * np.median(np.abs(background[usable] - median))
        background = background - median
        objects = usable & (np.abs(background) > OBJECT_SIGMA * sigma)
        usable &= ~ndimage.binary_propagation(objects, mask=np.abs(background) > 2 * sigma)
    return background, usable


def add_noise(
    noise_free: np.ndarray,
    exposure_s: np.ndarray,
    sky_variance: np.ndarray,
    noise: EmpiricalNoise,
    rng: np.random.Generator,
) -> np.ndarray:
    """Simulated images with empirical noise, float32 [n, pixels, pixels].

    The source has the Poisson noise of the data set. The noise of the frame replaces that of the sky. Where the frame's
    noise is fainter than that of the data set, white noise makes up the difference, as for real lenses
    (`matching.match_brightness_and_noise`).

    Args:
        noise_free: [n, pixels, pixels], electrons / s.
        exposure_s: of each image, [n].
        sky_variance: variance of the noise of each image where it is dark, [n].
    """
    count, pixels = noise_free.shape[:2]
    exposure = np.reshape(exposure_s, (-1, 1, 1))
    missing = np.sqrt(np.clip(sky_variance - noise.variance, 0, None)).reshape(-1, 1, 1)
    sky = noise.sample(count, pixels, rng) + missing * rng.standard_normal(noise_free.shape)
    # Last, as the light decides how many random numbers it takes: twins have the same noise of the sky.
    light = rng.poisson(np.clip(noise_free, 0, None) * exposure) / exposure
    return (light + sky).astype(np.float32)
