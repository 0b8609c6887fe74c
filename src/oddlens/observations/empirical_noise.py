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
    variance: float

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
            tiles = self.windows[y, x]  # [count, side, side]
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
        positions = self.positions[chosen]
        pixels = _covered_pixels(self.windows, positions)
        variance = float(pixels.var()) if pixels.size else 0.0
        return type(self)(self.windows, positions, pixels.size / self.windows.shape[-1] ** 2, variance)


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
    pixels = _covered_pixels(sliding_window_view(background, (side, side)), positions)
    independent = pixels.size / side**2
    if independent < MIN_TILES:
        raise ValueError(
            f'{matched.frame.name}: the empty sky beyond {MIN_DISTANCE_ARCSEC:g}" from the lens has room for '
            f'{independent:.0f} tiles of {side * scale:.2g}" that do not overlap; at least {MIN_TILES} are needed: '
            "give a larger cut-out"
        )
    windows = sliding_window_view(matched.brightness_factor * (background - pixels.mean()), (side, side))
    variance = float((matched.brightness_factor * (pixels - pixels.mean())).var())
    return EmpiricalNoise(windows, positions, independent, variance)


def _covered_pixels(windows: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The pixels that the windows at some positions cover, each once."""
    height, width, side, _ = windows.shape
    covered = np.zeros((height + side - 1, width + side - 1), bool)
    values = np.zeros(covered.shape)
    for y, x in positions:
        covered[y : y + side, x : x + side] = True
        values[y : y + side, x : x + side] = windows[y, x]
    return values[covered]


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
    light = rng.poisson(np.clip(noise_free, 0, None) * exposure) / exposure
    missing = np.sqrt(np.clip(sky_variance - noise.variance, 0, None)).reshape(-1, 1, 1)
    white = missing * rng.standard_normal(noise_free.shape)
    return (light + noise.sample(count, pixels, rng) + white).astype(np.float32)
