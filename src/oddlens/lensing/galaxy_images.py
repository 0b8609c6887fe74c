"""Images of galaxies that are ready to be sources: selected, restored, measured, and divided into pools.

A galaxy is restored (`restoration.py`): sharpened as far as its noise allows, and denoised. Then its light is confined
to the connected region in which it is significant, with a soft edge, and negative light is set to zero. It keeps its
name and its pool in any catalogue and for any seed: the pool follows from the name.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import fft, ndimage

from oddlens.lensing import galaxy_files, spline
from oddlens.lensing.galaxy_files import Cutout
from oddlens.lensing.restoration import noise_power, remaining_psf, restored, smoothed, width
from oddlens.lensing.source_images import SourceImages

BORDER = 2
"""Pixels at the edge of a cut-out whose median is its background."""
SMOOTH_SCALES = (0, 1)
SIGNIFICANT = 2.0
"""Light belongs to a galaxy where its image under the B-splines of these scales exceeds this number of sigma."""
GROWTH, EDGE_SIGMA = 2, 1.5
"""Pixels by which this region grows, and the standard deviation of the Gaussian that softens its edge."""
MAX_AT_EDGE = 0.1
"""The largest brightness at the edge of a cut-out, over that of the peak, both smoothed."""
MAX_OFF_CENTRE = 0.25
"""The largest distance of the peak from the centre of a cut-out, over its smaller side."""
MIN_GALAXIES = 4
"""The least number of galaxies in the pools of training and in that of test images."""
MOMENT_RADII = 2.0
"""Radius, in half-light radii, of the light whose second moments give shape and direction."""


class GalaxyImage(NamedTuple):
    """A galaxy with measured light. Positions are in pixels of its image, angles counter-clockwise from +x.

    Attributes:
        image: [h, w], with the sum 1.
        name: that of the galaxy.
        centre_row: of the centroid.
        centre_column: of the centroid.
        axis_ratio: minor over major axis of the second moments.
        angle_rad: direction of the major axis.
        radius: half-light radius, the geometric mean of both axes.
        fwhm: full width at half maximum of the point-spread function of the image.
    """

    name: str
    image: np.ndarray
    centre_row: float
    centre_column: float
    axis_ratio: float
    angle_rad: float
    radius: float
    fwhm: float


class Galaxies(NamedTuple):
    """The galaxies of some pools as arrays [galaxies], and the splines of their images, [galaxies, side, side].

    Units are those of `GalaxyImage`; positions are in pixels of the spline.
    """

    name: np.ndarray
    centre_row: np.ndarray
    centre_column: np.ndarray
    axis_ratio: np.ndarray
    angle_rad: np.ndarray
    radius: np.ndarray
    fwhm: np.ndarray
    spline: np.ndarray


def is_for_tests(name: str, test_fraction: float) -> bool:
    """Whether a galaxy is for test images only: a function of its name, uniform in the fraction."""
    number = int.from_bytes(hashlib.sha256(f"pool of {name}".encode()).digest()[:8], "big")
    return number < test_fraction * 2**64


def galaxies(images: SourceImages, pool: str) -> Galaxies:
    """The galaxies of a pool.

    Raises:
        FileNotFoundError, ValueError: a file cannot be used, or has too few usable galaxies.
    """
    training, test = prepared(images)
    return test if pool == "test" else training


def provenance(images: SourceImages, pool: str) -> dict[str, str]:
    """What a file with images of a pool records of its sources: digests of the catalogue, and names of the galaxies."""
    assert images.file is not None
    noise = images.noise_correlation
    return {
        "galaxies_sha256": galaxy_files.digest(images.file),
        **({"noise_correlation_sha256": galaxy_files.digest(noise)} if noise else {}),
        "galaxies": json.dumps(galaxies(images, pool).name.tolist()),
    }


def prepared(images: SourceImages) -> tuple[Galaxies, Galaxies]:
    """The galaxies of training (also contaminant and validation) images, and those of test images.

    Raises:
        FileNotFoundError, ValueError: see `galaxies`.
    """
    for file in images.files:
        if not Path(file).is_file():
            raise FileNotFoundError(f"there is no file {file} (relative paths start at the working directory)")
    return _prepared(images, tuple((Path(f).stat().st_mtime_ns, Path(f).stat().st_size) for f in images.files))


@lru_cache(maxsize=4)
def _prepared(images: SourceImages, version: tuple) -> tuple[Galaxies, Galaxies]:
    usable = [found for found in selection(images).values() if isinstance(found, GalaxyImage)]
    side = max((max(found.image.shape) for found in usable), default=0) + 2 * spline.MARGIN
    pools = []
    for tested in (False, True):
        own = [found for found in usable if is_for_tests(found.name, images.test_fraction) == tested]
        if len(own) < MIN_GALAXIES:
            raise ValueError(
                f"{images.file} has {len(own)} usable galaxies for {'test' if tested else 'training'} images, of "
                f"{len(usable)} in total; at least {MIN_GALAXIES} are needed: change test_fraction "
                f"({images.test_fraction:g}), lower min_peak_sn ({images.min_peak_sn:g}) or min_radius_fwhm "
                f"({images.min_radius_fwhm:g}), or add galaxies"
            )
        pools.append(_stacked(own, side))
    return pools[0], pools[1]


def _stacked(own: list[GalaxyImage], side: int) -> Galaxies:
    first = np.array([[(side - length) // 2 for length in galaxy.image.shape] for galaxy in own])
    splines = [spline.coefficients(galaxy.image, side) for galaxy in own]
    return Galaxies(
        name=np.array([galaxy.name for galaxy in own]),
        centre_row=np.array([galaxy.centre_row for galaxy in own]) + first[:, 0],
        centre_column=np.array([galaxy.centre_column for galaxy in own]) + first[:, 1],
        axis_ratio=np.array([galaxy.axis_ratio for galaxy in own]),
        angle_rad=np.array([galaxy.angle_rad for galaxy in own]),
        radius=np.array([galaxy.radius for galaxy in own]),
        fwhm=np.array([galaxy.fwhm for galaxy in own]),
        spline=np.stack(splines).astype(np.float32),
    )


def selection(images: SourceImages) -> dict[str, GalaxyImage | str]:
    """Each galaxy of a catalogue by name, or the reason why it is not used.

    Raises:
        FileNotFoundError, ValueError: see `galaxies`.
    """
    assert images.file is not None
    correlation = images.noise_correlation and galaxy_files.read_noise_correlation(images.noise_correlation)
    found: dict[str, GalaxyImage | str] = {}
    for cutout in galaxy_files.read_cutouts(images.file):
        if cutout.peak_sn < images.min_peak_sn:
            found[cutout.name] = f"peak signal-to-noise ratio {cutout.peak_sn:.1f}"
            continue
        found[cutout.name] = galaxy_image(cutout, None if isinstance(correlation, str) else correlation)
        galaxy = found[cutout.name]
        if isinstance(galaxy, GalaxyImage) and galaxy.radius < images.min_radius_fwhm * galaxy.fwhm:
            found[cutout.name] = f"half-light radius of {galaxy.radius / galaxy.fwhm:.2f} PSF widths"
    return found


def galaxy_image(cutout: Cutout, correlation: np.ndarray | None) -> GalaxyImage | str:
    """A galaxy, restored and measured, or the reason why it cannot be used."""
    edge = np.ones(cutout.image.shape, bool)
    edge[BORDER:-BORDER, BORDER:-BORDER] = False
    image = cutout.image - np.median(cutout.image[edge])
    region = _region(image, cutout.variance, correlation, edge)
    if isinstance(region, str):
        return region
    light = restored(image, cutout.variance, correlation, cutout.psf).clip(min=0) * region
    rows, columns = (np.flatnonzero(light.any(axis=axis)) for axis in (1, 0))
    light = light[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return GalaxyImage(cutout.name, light / light.sum(), *_measured(light), width(remaining_psf(cutout.psf)))


def _region(image: np.ndarray, variance: float, correlation: np.ndarray | None, edge: np.ndarray) -> np.ndarray | str:
    """The region of the galaxy in the middle, from 0 to 1 with a soft edge, or the reason why it is not usable."""
    power = variance * noise_power(image.shape, correlation)
    impulse = np.zeros_like(image)
    impulse[0, 0] = 1
    smooth = image
    for scale in SMOOTH_SCALES:
        smooth, impulse = smoothed(smooth, scale), smoothed(impulse, scale)
    sigma = np.sqrt(np.mean(power * np.abs(fft.fft2(impulse)) ** 2))
    parts, _ = ndimage.label(smooth > SIGNIFICANT * sigma)
    peak = np.unravel_index(np.argmax(np.where(edge, -np.inf, smooth)), image.shape)
    off = np.hypot(*(np.array(peak) - (np.array(image.shape) - 1) / 2)) / min(image.shape)
    if off > MAX_OFF_CENTRE or not parts[peak]:
        return f"its brightest part is {off:.2f} sides from the centre"
    own = parts == parts[peak]
    at_edge = smooth[edge & own].max(initial=0) / smooth[peak]
    if at_edge > MAX_AT_EDGE:
        return f"its light at the edge is {at_edge:.0%} of the peak"
    grown = ndimage.binary_dilation(own, iterations=GROWTH) & ~edge
    return ndimage.gaussian_filter(grown.astype(float), EDGE_SIGMA, mode="constant")


def _measured(light: np.ndarray) -> tuple[float, float, float, float, float]:
    """Centroid, axis ratio, direction and half-light radius of an image without noise."""
    row, column = ndimage.center_of_mass(light)
    y, x = row - np.arange(len(light))[:, None], np.arange(light.shape[1]) - column
    axis_ratio, angle, radius = 1.0, 0.0, np.inf
    for _ in range(10):  # the moments of the light within a radius that depends on them
        within = light * (np.sqrt(_squared_radius(y, x, axis_ratio, angle)) < MOMENT_RADII * radius)
        yy, xx, xy = (np.sum(within * part) / within.sum() for part in (y * y, x * x, y * x))
        angle = 0.5 * np.arctan2(2 * xy, xx - yy)
        split = np.hypot(xx - yy, 2 * xy)
        axis_ratio = float(np.sqrt((xx + yy - split) / (xx + yy + split)))
        radius = _half_light_radius(light, _squared_radius(y, x, axis_ratio, angle))
    return float(row), float(column), axis_ratio, float(angle), radius


def _squared_radius(y: np.ndarray, x: np.ndarray, axis_ratio: float, angle: float) -> np.ndarray:
    v, u = np.cos(angle) * y - np.sin(angle) * x, np.cos(angle) * x + np.sin(angle) * y
    return axis_ratio * u * u + v * v / axis_ratio


def _half_light_radius(light: np.ndarray, squared_radius: np.ndarray) -> float:
    """The radius of the ellipse that contains half of the light, as sqrt(area / pi) of the pixels inside."""
    order = np.argsort(squared_radius, axis=None)
    grown = np.cumsum(light.ravel()[order])
    return float(np.sqrt(np.interp(0.5, grown / grown[-1], np.arange(1, len(grown) + 1)) / np.pi))
