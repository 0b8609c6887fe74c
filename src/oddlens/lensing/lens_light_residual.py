"""What is left of the lens galaxy's light after a model of it was subtracted: a few images span nearly all of it.

Light and subtraction are drawn from the priors of a simulation, drawn as the camera sees them, and taken apart into
principal components: their amplitudes are uncorrelated, and scaled by their deviations they are a prior of their own.
"""

from typing import NamedTuple

import numpy as np

from oddlens.lensing import profiles
from oddlens.lensing.grids import grid
from oddlens.lensing.scene import Columns
from oddlens.lensing.simulation import Simulation

RAYS, MIDDLE_RAYS, MIDDLE = 4, 32, 4
"""Rays per pixel side, those of pixels in the middle, where a Sersic profile has its cusp, and how many pixels are."""


class Leftover(NamedTuple):
    """Light of lens galaxies, flux / arcsec^2, meaned over pixels with a rim, before the PSF."""

    whole: np.ndarray
    """All of it, whose noise is in the image, [n, padded^2]."""
    left: np.ndarray
    """What subtraction leaves, likewise."""


def leftover(simulation: Simulation, q: Columns, side: int) -> Leftover:
    """The light of lenses `q` (`Scenes.lens`), on `side` pixels a side."""
    whole = _means(simulation, q, side)
    if "subtraction_intensity_ratio" not in q:
        return Leftover(whole, whole)
    model = {
        **q,
        "light_intensity_per_arcsec2": q["light_intensity_per_arcsec2"] * q["subtraction_intensity_ratio"],
        "light_effective_radius_arcsec": q["light_effective_radius_arcsec"] * q["subtraction_radius_ratio"],
    }
    return Leftover(whole, whole - _means(simulation, model, side))


def _means(simulation: Simulation, q: Columns, side: int) -> np.ndarray:
    scale = simulation.camera.pixel_scale_arcsec
    means = _drawn(q, side, RAYS, scale)
    inner = slice((side - MIDDLE) // 2, (side + MIDDLE) // 2)
    means[:, inner, inner] = _drawn(q, MIDDLE, MIDDLE_RAYS, scale)
    return means.reshape(len(means), -1)


def _drawn(q: Columns, side: int, rays: int, scale: float) -> np.ndarray:
    """Mean brightness of the middle `side` x `side` pixels [n, side, side]."""
    y, x = grid(side * rays, side * scale)
    names = ("intensity_per_arcsec2", "effective_radius_arcsec", "sersic_index", "axis_ratio", "angle_deg")
    means = []
    for intensity, radius, index, ratio, angle in zip(*(q[f"light_{name}"] for name in names), strict=True):
        light = profiles.sersic(y, x, intensity, radius, index, ratio, np.deg2rad(angle), np)
        means.append(light.reshape(side, rays, side, rays).mean(axis=(1, 3)))
    return np.stack(means)


def principal(images: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of images [n, pixels], and their first principal components in units of their deviations, [count,
    pixels]."""
    mean = images.mean(axis=0)
    _, s, v = np.linalg.svd(images - mean, full_matrices=False)
    return mean, v[:count] * s[:count, None] / np.sqrt(len(images))
