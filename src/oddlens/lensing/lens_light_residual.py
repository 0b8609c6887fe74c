"""The residual of lens-light subtraction: the light of the lens galaxy minus the model that was subtracted from it.

A few images span nearly all of it. Lens light and its model are sampled from the priors of a simulation, observed by
its camera, and decomposed into principal components. The amplitudes of the components are uncorrelated; in units of
their standard deviations, they have a standard normal prior.
"""

from typing import NamedTuple

import numpy as np

from oddlens.lensing import ray_tracing
from oddlens.lensing.grids import grid, pixel_means
from oddlens.lensing.scene import Columns
from oddlens.lensing.simulation import LightPriors, Simulation

RAYS, CENTRAL_RAYS, CENTRAL_PIXELS = 4, 32, 4
"""Rays per pixel side; rays per pixel side of the central pixels, where a Sersic profile has its cusp; and the side of
the square of central pixels."""

TYPICAL_LIGHT = LightPriors.model_validate(
    {
        "axis_ratio": {"truncnorm": [0.78, 0.12, 0.5, 1]},
        "angle_deg": {"uniform": [0, 360]},
        "effective_radius_arcsec": {"uniform": [0.6, 1.5]},
        "sersic_index": {"truncnorm": [4, 0.8, 2, 6]},
        "intensity_per_arcsec2": {"loguniform": [10, 40]},
        "subtraction": {
            "intensity_ratio": {"truncnorm": [1, 0.02, 0.9, 1.1]},
            "radius_ratio": {"truncnorm": [1, 0.02, 0.9, 1.1]},
        },
    }
)
"""The light of the lenses of model C, for fits that allow for some although the simulation has none."""


class LensLight(NamedTuple):
    """Light of n lens galaxies, flux / arcsec^2, averaged over pixels with a margin, before the PSF."""

    total: np.ndarray
    """All of it, whose noise is in the image, [n, padded^2]."""
    residual: np.ndarray
    """The total minus the subtracted model, [n, padded^2]."""


def lens_light(simulation: Simulation, q: Columns, side: int) -> LensLight:
    """The light of lenses `q` (`Scenes.lens`) on `side` pixels a side."""
    scale = simulation.camera.pixel_scale_arcsec
    total = _pixel_brightness(ray_tracing.lens_light, q, side, scale)
    if "subtraction_intensity_ratio" not in q:
        return LensLight(total, total)
    return LensLight(total, total - _pixel_brightness(ray_tracing.subtracted_light, q, side, scale))


def _pixel_brightness(surface, q: Columns, side: int, scale: float) -> np.ndarray:
    """Mean brightness of pixels of a `surface` of ray_tracing, [n, side^2]."""
    means = _traced(surface, q, side, RAYS, scale)
    central = slice((side - CENTRAL_PIXELS) // 2, (side + CENTRAL_PIXELS) // 2)
    means[:, central, central] = _traced(surface, q, CENTRAL_PIXELS, CENTRAL_RAYS, scale)
    return means.reshape(len(means), -1)


def _traced(surface, q: Columns, side: int, rays: int, scale: float) -> np.ndarray:
    """Mean brightness of the central `side` x `side` pixels, [n, side, side]."""
    y, x = grid(side * rays, side * scale)
    count = len(q["light_intensity_per_arcsec2"])
    lenses = ({name: column[k] for name, column in q.items()} for k in range(count))
    return np.stack([pixel_means(surface(one, y, x, np), rays) for one in lenses])


def principal_components(images: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of images [n, pixels], and their first principal components, [count, pixels].

    Each component is multiplied by the standard deviation of its amplitude.
    """
    mean = images.mean(axis=0)
    _, s, v = np.linalg.svd(images - mean, full_matrices=False)
    return mean, v[:count] * s[:count, None] / np.sqrt(len(images))
