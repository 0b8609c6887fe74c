"""A luminous clump in the plane of the lens: a faint Gaussian near the ring, which is not lensed.

It is a satellite of the lens, a star or a residual of reduction: light that resembles the trace of a dark subhalo.
"""

from types import ModuleType
from typing import Annotated

import numpy as np
from scipy import special

from oddlens.lensing import profiles
from oddlens.schema.priors import Prior, within
from oddlens.schema.section import Section

Columns = dict[str, np.ndarray]
PREFIX = "light_clump_"


class LightClump(Section):
    """Luminous clump in the plane of the lens: a round Gaussian that is not lensed."""

    radius_ratio: Annotated[Prior, within(0)]
    """Distance from the centre of the lens over the Einstein radius."""
    angle_deg: Prior
    """Direction from the centre, in degrees, counter-clockwise from +x."""
    width_arcsec: Annotated[Prior, within(1e-3)]
    """Standard deviation of the Gaussian before the point-spread function, in arcsec."""
    peak_sigma: Annotated[Prior, within(0)]
    """Brightness of its central pixel, if its centre is that of a pixel, over the noise of a pixel without light."""


def derived(q: Columns, kernels: np.ndarray, scale: float, dark_sigma: np.ndarray) -> Columns:
    """Position and central brightness of the clump of each image.

    The brightness is such that the pixel at the centre has `peak_sigma` of noise after the point-spread function.

    Args:
        q: parameters of the lens, [n] each.
        kernels: point-spread functions, [n or 1, k, k].
        scale: of a pixel, arcsec.
        dark_sigma: noise of a pixel without light, in units of brightness, [n].
    """
    distance = q[f"{PREFIX}radius_ratio"] * q["einstein_radius_arcsec"]
    y, x = profiles.polar(distance, q[f"{PREFIX}angle_deg"], np)
    intensity = q[f"{PREFIX}peak_sigma"] * dark_sigma / _central_pixel(q[f"{PREFIX}width_arcsec"], kernels, scale)
    return {f"{PREFIX}y_arcsec": y, f"{PREFIX}x_arcsec": x, f"{PREFIX}intensity_per_arcsec2": intensity}


def _central_pixel(width: np.ndarray, kernels: np.ndarray, scale: float) -> np.ndarray:
    """Brightness of the central pixel of Gaussians of central brightness 1 after the point-spread function, [n]."""
    edges = (np.arange(kernels.shape[-1] + 1) - kernels.shape[-1] / 2) * scale
    cumulative = special.ndtr(edges / width[:, None])  # [n, k + 1]
    pixel_means = np.diff(cumulative, axis=1) * np.sqrt(2 * np.pi) * width[:, None] / scale
    return np.einsum("nij,ni,nj->n", np.broadcast_to(kernels, (len(width), *kernels.shape[1:])), *[pixel_means] * 2)


def brightness(q: Columns, y, x, xp: ModuleType):
    """Surface brightness of the clump of one image, flux / arcsec^2."""
    dy, dx, width = y - q[f"{PREFIX}y_arcsec"], x - q[f"{PREFIX}x_arcsec"], q[f"{PREFIX}width_arcsec"]
    return q[f"{PREFIX}intensity_per_arcsec2"] * xp.exp(-0.5 * (dy * dy + dx * dx) / (width * width))
