"""The change that a small mass would make to an observed image: a perturber on the arcs of its smooth model.

The change is the image of the model with the perturber minus that without, both under the point-spread function. It has
no noise of its own; it is added to the observed image. To first order it is -alpha . grad S, with the perturber's
deflection alpha and the gradient of the source S where the rays end.

The perturber is a truncated isothermal sphere (`substructure/subhalo.py`; a point mass if its truncation radius is 0).
The mass inside the Einstein radius stays the same, as in the simulations: the halo loses what the perturber adds.
"""

from typing import NamedTuple, Protocol

import numpy as np

from oddlens.lensing.convolution import Convolution
from oddlens.lensing.grids import grid, pixel_means
from oddlens.lensing.substructure import subhalo

RAYS = 6
"""Rays per pixel side."""
BRIGHT_PART = 0.5
"""Perturbers lie where the light of the model is above this part of its maximum."""


class SmoothLens(Protocol):
    """A smooth lens of an image: a ring model, or any other that traces rays to a source."""

    @property
    def kind(self) -> str:
        """The name of this kind of model."""

    @property
    def chi_square(self) -> float:
        """The mean squared residual of the fitted pixels, in units of their noise."""

    @property
    def unexplained(self) -> float:
        """The part of the power of the light beyond the noise that the model leaves in the residuals."""

    @property
    def einstein_radius_arcsec(self) -> float:
        """The Einstein radius."""

    @property
    def centre(self) -> tuple[float, float]:
        """The centre of the lens (y, x), arcsec."""

    def deflections(self, y: np.ndarray, x: np.ndarray, removed: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Deflection (alpha_y, alpha_x) in arcsec; `removed` is taken from the Einstein radius."""

    def source_brightness(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Surface brightness at positions in the source plane, in units of the image."""


class Perturber(NamedTuple):
    """A mass in the plane of the lens.

    Attributes:
        y_arcsec: from the centre of the image, up.
        x_arcsec: right.
        area: its Einstein radius squared if it were a point, arcsec^2 (solar masses times `area_per_msun`).
        truncation_arcsec: radius at which its density steepens; 0: a point mass.
    """

    y_arcsec: float
    x_arcsec: float
    area: float
    truncation_arcsec: float

    def columns(self, centre: tuple[float, float] = (0.0, 0.0)) -> dict[str, float]:
        """The parameters of `substructure/subhalo.py`, relative to the centre of a lens."""
        return {
            "subhalo_y_arcsec": self.y_arcsec - centre[0],
            "subhalo_x_arcsec": self.x_arcsec - centre[1],
            "subhalo_area": self.area,
            "subhalo_truncation_arcsec": self.truncation_arcsec,
        }

    def deflections(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Deflection (alpha_y, alpha_x), arcsec."""
        return subhalo.deflections(self.columns(), y, x, np)

    def removed(self, lens: SmoothLens) -> float:
        """What the Einstein radius of the halo loses, so that the mass inside it stays the same, arcsec."""
        columns = {name: np.array([value]) for name, value in self.columns(lens.centre).items()}
        radius = np.array([lens.einstein_radius_arcsec])
        return float(subhalo.enclosed(columns, radius)[0] / radius[0])


def model_image(lens: SmoothLens, pixels: int, pixel_scale_arcsec: float, psf: np.ndarray) -> np.ndarray:
    """The image of a smooth lens, [pixels, pixels]."""
    y, x = _rays(pixels, pixel_scale_arcsec, psf)
    alpha_y, alpha_x = lens.deflections(y, x)
    return _observed(lens.source_brightness(y - alpha_y, x - alpha_x), pixels, psf)


def draw_position(light: np.ndarray, pixel_scale_arcsec: float, random: np.random.Generator) -> tuple[float, float]:
    """A position (y, x) on the bright arcs, arcsec: drawn with the probability of the light, uniform in its pixel.

    Args:
        light: of the smooth model, [p, p].
    """
    bright = np.where(light >= BRIGHT_PART * light.max(), light.clip(min=0), 0).ravel()
    pixel = random.choice(len(bright), p=bright / bright.sum())
    y, x = grid(len(light), len(light) * pixel_scale_arcsec)
    offset = (random.random(2) - 0.5) * pixel_scale_arcsec
    return float(y.ravel()[pixel] + offset[0]), float(x.ravel()[pixel] + offset[1])


def change(
    lens: SmoothLens, perturber: Perturber, pixels: int, pixel_scale_arcsec: float, psf: np.ndarray
) -> np.ndarray:
    """The change of an image by a perturber, [pixels, pixels]; zero for a mass of zero.

    Args:
        lens: the smooth lens of the image.
        pixels: side of the image.
        psf: [k, k], k odd, with the sum 1.
    """
    y, x = _rays(pixels, pixel_scale_arcsec, psf)
    smooth_y, smooth_x = lens.deflections(y, x)
    halo_y, halo_x = lens.deflections(y, x, perturber.removed(lens))
    own_y, own_x = perturber.deflections(y, x)
    after = lens.source_brightness(y - halo_y - own_y, x - halo_x - own_x)
    return _observed(after - lens.source_brightness(y - smooth_y, x - smooth_x), pixels, psf)


def first_order_change(
    lens: SmoothLens, perturber: Perturber, pixels: int, pixel_scale_arcsec: float, psf: np.ndarray
) -> np.ndarray:
    """The first-order approximation of `change`: -alpha . grad S, by central differences."""
    y, x = _rays(pixels, pixel_scale_arcsec, psf)
    halo_y, halo_x = lens.deflections(y, x)
    less_y, less_x = lens.deflections(y, x, perturber.removed(lens))
    own_y, own_x = perturber.deflections(y, x)
    beta_y, beta_x, step = y - halo_y, x - halo_x, 1e-3
    slope_y = (lens.source_brightness(beta_y + step, beta_x) - lens.source_brightness(beta_y - step, beta_x)) / (
        2 * step
    )
    slope_x = (lens.source_brightness(beta_y, beta_x + step) - lens.source_brightness(beta_y, beta_x - step)) / (
        2 * step
    )
    by_y, by_x = own_y + less_y - halo_y, own_x + less_x - halo_x
    return _observed(-(by_y * slope_y + by_x * slope_x), pixels, psf)


def _margin(psf: np.ndarray) -> int:
    return len(psf) // 2


def _rays(pixels: int, pixel_scale_arcsec: float, psf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of rays, with a margin from which the point-spread function scatters light into the image."""
    side = pixels + 2 * _margin(psf)
    y, x = grid(side * RAYS, side * pixel_scale_arcsec)
    return y.astype(float), x.astype(float)


def _observed(brightness: np.ndarray, pixels: int, psf: np.ndarray) -> np.ndarray:
    """What the camera makes of the brightness at the rays."""
    margin = _margin(psf)
    inside = slice(margin, margin + pixels)
    return Convolution(psf, pixels + 2 * margin)(pixel_means(brightness, RAYS))[inside, inside]
