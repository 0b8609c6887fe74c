"""Sources that are images of galaxies: which galaxy each image has, and its brightness in the source plane.

The priors of the source apply: its centroid is at the offset, its major axis has the direction `angle_deg`, its
half-light radius is `effective_radius_arcsec`, and its total brightness is that of the Sersic profile with the given
radius, index and brightness at that radius. The axis ratio is that of the galaxy.
"""

from dataclasses import dataclass, fields, replace
from types import ModuleType

import numpy as np
from scipy import special

from oddlens.lensing import galaxy_images, profiles, spline
from oddlens.lensing.source_images import SourceImages

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class GalaxySources:
    """The galaxies of n sources.

    Attributes:
        name: of each galaxy, [n].
        number: of its spline, [n].
        centre_row: of its centroid, in pixels of the spline, [n].
        centre_column: of its centroid, [n].
        pixel_arcsec: the size of these pixels in the source plane, [n].
        turn_rad: the direction of the rows of its image, counter-clockwise from +x, [n].
        brightness: the surface brightness of a spline of 1, flux / arcsec^2, [n].
        axis_ratio: minor over major axis, [n].
        fwhm_arcsec: width of the point-spread function of its image in the source plane, [n].
        splines: of all galaxies, [galaxies, side, side].
    """

    name: np.ndarray
    number: np.ndarray
    centre_row: np.ndarray
    centre_column: np.ndarray
    pixel_arcsec: np.ndarray
    turn_rad: np.ndarray
    brightness: np.ndarray
    axis_ratio: np.ndarray
    fwhm_arcsec: np.ndarray
    splines: np.ndarray

    def of(self, images: slice) -> "GalaxySources":
        """The galaxies of some of the images."""
        own = {f.name: getattr(self, f.name)[images] for f in fields(self) if f.name != "splines"}
        return replace(self, **own)

    @property
    def measured(self) -> Columns:
        """What replaces, and adds to, the sampled parameters of the sources."""
        return {"source_axis_ratio": self.axis_ratio, "source_psf_fwhm_arcsec": self.fwhm_arcsec}

    @property
    def parameters(self) -> Columns:
        """The arguments of `brightness`, with a leading axis."""
        names = ("centre_row", "centre_column", "pixel_arcsec", "turn_rad", "brightness")
        return {"spline": self.splines[self.number], **{name: getattr(self, name) for name in names}}


def draw(images: SourceImages, pool: str, u: np.ndarray, q: Columns) -> GalaxySources:
    """The galaxies of the images of a pool; `u` are uniform random numbers, [n], and `q` the sampled parameters.

    Raises:
        FileNotFoundError, ValueError: see `galaxy_images.galaxies`.
    """
    found = galaxy_images.galaxies(images, pool)
    number = np.minimum((u * len(found.name)).astype(int), len(found.name) - 1)
    radius = q["source_effective_radius_arcsec"]
    pixel = radius / found.radius[number]
    flux = sersic_flux(q["source_intensity_per_arcsec2"], radius, q["source_sersic_index"])
    return GalaxySources(
        name=found.name[number],
        number=number,
        centre_row=found.centre_row[number],
        centre_column=found.centre_column[number],
        pixel_arcsec=pixel,
        turn_rad=np.deg2rad(q["source_angle_deg"]) - found.angle_rad[number],
        brightness=flux / pixel**2,
        axis_ratio=found.axis_ratio[number],
        fwhm_arcsec=found.fwhm[number] * pixel,
        splines=found.spline,
    )


def sersic_flux(intensity: np.ndarray, radius: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The total flux of Sersic profiles, 2 pi n R_e^2 I e^b b^(-2 n) Gamma(2 n)."""
    b = profiles.sersic_b(index)
    return 2 * np.pi * index * radius**2 * intensity * np.exp(b) * b ** (-2 * index) * special.gamma(2 * index)


def brightness(galaxy: Columns, y, x, xp: ModuleType):
    """Surface brightness of one galaxy at positions relative to its centre (arcsec), flux / arcsec^2."""
    v, u = profiles.rotated(y, x, galaxy["turn_rad"], xp)
    row, column = (
        galaxy["centre_row"] - v / galaxy["pixel_arcsec"],
        galaxy["centre_column"] + u / galaxy["pixel_arcsec"],
    )
    return galaxy["brightness"] * spline.value(galaxy["spline"], row, column, xp)
