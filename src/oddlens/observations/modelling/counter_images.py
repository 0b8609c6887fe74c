"""The other images of the part of the source that a mass perturbs, and what the mass is worth without each of them.

A mass changes one image. The others show that part of the source as it is, and they are what tells a mass from a clump
of the source. If leaving out one of them removes the significance of the mass, then the evidence rests on this image,
which may be disturbed by dust, by another galaxy or by an error of the light model.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation, label
from scipy.spatial import cKDTree

from oddlens.observations.modelling.mass_scan import Residuals

NEAR_ARCSEC = 0.4
"""The image that a mass perturbs is within this distance."""
BRIGHT = 0.2
"""The part of the source that it perturbs is at least so bright, relative to the brightest of that image."""
MIN_PIXELS = 6
EVERYWHERE = np.ones((3, 3), bool)


class CounterImage(NamedTuple):
    """An image of the part of the source that a mass perturbs, beside the one that is perturbed.

    Attributes:
        y_arcsec: of its middle.
        x_arcsec: likewise.
        pixels: of the frame.
        significance_without: of the mass, if these pixels are left out.
    """

    y_arcsec: float
    x_arcsec: float
    pixels: int
    significance_without: float


def counter_images(residuals: Residuals, y: float, x: float) -> list[CounterImage]:
    """The counter-images for a mass at a position, and its significance without each of them."""
    seen = residuals.model.observation
    found = []
    for chosen in _pixels_of_images(residuals, y, x):
        own_y, own_x = (float(part[chosen].mean()) for part in (seen.pixel_y, seen.pixel_x))
        found.append(CounterImage(own_y, own_x, int(chosen.sum()), significance_without(residuals, chosen, y, x)))
    return found


def significance_without(residuals: Residuals, left_out: np.ndarray, y: float, x: float) -> float:
    """The significance of a mass if some of the pixels are not fitted.

    Args:
        left_out: whether a pixel is left out, [pixels].
    """
    model = replace(residuals.model, observation=residuals.model.observation.without(left_out))
    fit = model.solve(model.columns(residuals.fit.columns.parameters), residuals.fit.prior)
    return replace(residuals, model=model, fit=fit).significance(y, x)


def _pixels_of_images(residuals: Residuals, y: float, x: float) -> list[np.ndarray]:
    """The pixels of each counter-image, [pixels]."""
    model, fit = residuals.model, residuals.fit
    seen = model.observation
    beta = model.traced(fit.columns.parameters, seen.pixel_y, seen.pixel_x)
    light, ends = model.grid.brightness(fit.source, beta).numpy(), beta.T.numpy()
    near = np.hypot(seen.pixel_y.numpy() - y, seen.pixel_x.numpy() - x) <= NEAR_ARCSEC
    perturbed = near & (light > BRIGHT * light[near].max(initial=0.0))
    if not perturbed.any():
        return []
    distance, _ = cKDTree(ends[perturbed]).query(ends)
    frame = np.zeros(seen.use.shape, bool)
    frame[seen.use] = ~near & (distance < model.grid.step)
    circle = np.zeros_like(frame)
    circle[seen.use] = near
    numbers, count = label(frame, EVERYWHERE)
    touching = set(np.unique(numbers[binary_dilation(circle, EVERYWHERE)]))  # parts of the same image
    parts = [(numbers == k)[seen.use] for k in range(1, count + 1) if k not in touching]
    return [part for part in parts if part.sum() >= MIN_PIXELS]
