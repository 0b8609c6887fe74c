"""The parameter vector of the differentiable lens model, and the conversion of simulated scenes to it.

The image is a smooth function of the parameters, and they have no bounds:

* external shear and multipoles are given by two components each, in which deflections are linear;
* an ellipse is h = sinh(eta) (cos 2 phi, sin 2 phi) with the axis ratio q = exp(-eta). This is regular for a circle,
  and R^2 = sqrt(1 + h^2) r^2 - h1 (x^2 - y^2) - 2 h2 x y;
* sizes, brightness and the Sersic index are given by their logarithms.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from oddlens.lensing import profiles
from oddlens.lensing.scene import Columns

ISOTHERMAL = 2.0
"""The slope of the density of an isothermal halo."""


@dataclass(frozen=True)
class Parametrisation:
    """The parameters of a lens model, in this order: lens, source, amplitudes of source pixels, of lens-light residual,
    and the width of the PSF.

    The first two groups have `names`. The image is linear in the others.

    Attributes:
        elliptical: the halo is an ellipsoid, not a sphere.
        multipoles: orders m of the multipoles of the halo.
        free_index: the Sersic index of the source is a parameter.
        source_pixels: source pixels along a side of their grid.
        lens_light_components: principal components of the lens-light residual.
        free_slope: the slope of the halo's density is a parameter.
        free_psf_width: the logarithm of the width of the PSF, over that of the camera, is a parameter.
    """

    elliptical: bool = False
    multipoles: tuple[int, ...] = ()
    free_index: bool = False
    source_pixels: int = 0
    lens_light_components: int = 0
    free_slope: bool = False
    free_psf_width: bool = False

    @cached_property
    def lens_names(self) -> list[str]:
        """The parameters of the lens. Deflections are linear in all of them but ellipse and slope of the halo, if the
        halo is isothermal."""
        names = ["einstein_radius", "shear_1", "shear_2"]
        names += [f"multipole_{m}_{part}" for m in self.multipoles for part in ("cos", "sin")]
        return [
            *names,
            *(["ellipse_1", "ellipse_2"] if self.elliptical else []),
            *(["slope"] if self.free_slope else []),
        ]

    @cached_property
    def names(self) -> list[str]:
        """The parameters of lens and source."""
        names = [*self.lens_names, "source_y", "source_x", "source_ellipse_1", "source_ellipse_2"]
        return [*names, "log_radius", "log_intensity", *(["log_index"] if self.free_index else [])]

    @cached_property
    def count(self) -> int:
        """The number of all parameters."""
        return self.psf_width.stop

    @property
    def shear(self) -> slice:
        """The two components of the shear."""
        return slice(1, 3)

    @property
    def multipole_components(self) -> slice:
        """The two components of each multipole."""
        return slice(3, 3 + 2 * len(self.multipoles))

    @property
    def ellipse(self) -> slice:
        """The ellipse of the halo, if it is elliptical."""
        first = self.multipole_components.stop
        return slice(first, first + 2 * self.elliptical)

    @property
    def slope(self) -> slice:
        """The slope of the halo's density, if it is free."""
        return slice(self.ellipse.stop, len(self.lens_names))

    @property
    def position(self) -> slice:
        """The position (y, x) of the source."""
        return slice(len(self.lens_names), len(self.lens_names) + 2)

    @property
    def profile(self) -> slice:
        """The other named parameters of the source: ellipse, radius, intensity, and the index if it is free."""
        return slice(len(self.lens_names) + 2, len(self.names))

    @property
    def source_pixel_amplitudes(self) -> slice:
        """The amplitudes of the source pixels, row by row."""
        return slice(len(self.names), len(self.names) + self.source_pixels**2)

    @property
    def lens_light_amplitudes(self) -> slice:
        """The amplitudes of the components of the lens-light residual."""
        first = self.source_pixel_amplitudes.stop
        return slice(first, first + self.lens_light_components)

    @property
    def psf_width(self) -> slice:
        """The logarithm of the width of the PSF over that of the camera, if it is free."""
        first = self.lens_light_amplitudes.stop
        return slice(first, first + self.free_psf_width)

    def of_scenes(self, q: Columns) -> np.ndarray:
        """The parameters [n, count] of simulated lenses (`Scenes.lens`).

        Properties of the scenes that this parametrisation lacks (an ellipticity, a multipole) are left out. The
        parameters without names are zero.
        """
        b, zero = q["halo_einstein_radius_arcsec"], np.zeros_like(q["halo_einstein_radius_arcsec"])
        columns = [b, *components(q["shear_magnitude"], q["shear_angle_deg"], 2)]
        for m in self.multipoles:
            if f"multipole_{m}_strength" in q:
                columns += components(b * q[f"multipole_{m}_strength"], q[f"multipole_{m}_angle_deg"], m)
            else:
                columns += [zero, zero]
        if self.elliptical:
            columns += ellipse(q["lens_axis_ratio"], q["lens_angle_deg"]) if "lens_axis_ratio" in q else [zero, zero]
        columns += [q.get("lens_slope", zero + ISOTHERMAL)] if self.free_slope else []
        columns += profiles.polar(q["source_offset_arcsec"], q["source_offset_angle_deg"], np)
        columns += ellipse(q["source_axis_ratio"], q["source_angle_deg"])
        columns += [np.log(q["source_effective_radius_arcsec"]), np.log(q["source_intensity_per_arcsec2"])]
        columns += [np.log(q["source_sersic_index"])] if self.free_index else []
        named = np.stack(columns, axis=1)
        return np.concatenate([named, np.zeros((len(b), self.count - len(self.names)))], axis=1)


def components(size: np.ndarray, angle_deg: np.ndarray, order: int) -> list[np.ndarray]:
    """The two components of a quantity with a size and an angle that is periodic in 360 / order degrees."""
    angle = order * np.deg2rad(angle_deg)
    return [size * np.cos(angle), size * np.sin(angle)]


def ellipse(axis_ratio: np.ndarray, angle_deg: np.ndarray) -> list[np.ndarray]:
    """h = sinh(eta) (cos 2 phi, sin 2 phi) of an ellipse, from its axis ratio and the direction of its major axis."""
    return components((1 / axis_ratio - axis_ratio) / 2, angle_deg, 2)
