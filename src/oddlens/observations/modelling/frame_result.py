"""What a fit says about a lens: its numbers with errors, and images of each part of its model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from oddlens.lensing.cosmology import planes
from oddlens.observations.modelling.blind_start import magnification
from oddlens.observations.modelling.coolest_model import Shapes, coolest
from oddlens.observations.modelling.counter_images import counter_images
from oddlens.observations.modelling.frame_fit import FrameFit
from oddlens.observations.modelling.mass_refit import MassFit
from oddlens.observations.modelling.mass_scan import MassScan
from oddlens.observations.modelling.observation import Pixels
from oddlens.observations.modelling.optimiser import curvature
from oddlens.observations.modelling.smooth_lens import SmoothLens

MAX_REDUCED_CHI_SQUARE = 1.3
"""A fit with a larger chi-square per pixel, or one that has not converged, does not explain its frame."""
APERTURE_KPC = 1.0
SOURCE_PIXELS = 120


@dataclass(frozen=True)
class Redshifts:
    """Redshifts of a lens and its source, which turn areas into solar masses."""

    lens: float
    source: float

    def __post_init__(self) -> None:
        if not 0 < self.lens < self.source < math.inf:
            raise ValueError(
                f"the redshifts of lens and source are {self.lens:g} and {self.source:g}: the first must be positive, "
                "and the second larger"
            )

    @property
    def msun_per_arcsec2(self) -> float:
        """Solar masses of a mass whose Einstein radius squared is 1 arcsec^2."""
        return 1 / self._plane("area_per_msun")

    @property
    def kpc_per_arcsec(self) -> float:
        """The scale in the plane of the lens."""
        return self._plane("lens_kpc_per_arcsec")

    def _plane(self, name: str) -> float:
        return float(planes(np.array([self.lens]), np.array([self.source]))[name][0])


@dataclass(frozen=True)
class FrameResult:
    """The fit of a frame.

    Attributes:
        name: of the lens.
        numbers: what `oddlens fit` writes as JSON; see docs/lens_fits.md.
        images: on the pixels of the frame, [h, w]; NaN where it was not fitted.
        psf: of the frame.
        source: in the source plane, row 0 at the top, with its corners in `numbers["source"]`.
        scan: for a mass.
        lens: the smooth lens.
    """

    name: str
    numbers: Mapping[str, Any]
    images: Mapping[str, np.ndarray]
    psf: np.ndarray
    source: np.ndarray
    scan: MassScan
    lens: SmoothLens

    def to_coolest(self) -> dict[str, Any]:
        """The model in the COOLEST standard; it names images that `result_files.write_fit` writes."""
        return coolest(self.numbers, Shapes(self.images["image"].shape, self.psf.shape, self.source.shape))


def result_of(
    name: str, pixels: Pixels, found: FrameFit, redshifts: Redshifts | None = None, notes: tuple[str, ...] = ()
) -> FrameResult:
    """The result of a fit of the pixels of a frame."""
    fit, seen = found.fit.linear, found.model.observation
    numbers = {
        "name": name,
        "lens": _lens(found),
        "fit": {
            "pixels": seen.count,
            "reduced_chi_square": fit.chi_square / seen.count,
            "converged": found.fit.converged,
            "explains_frame": found.fit.converged and fit.chi_square / seen.count < MAX_REDUCED_CHI_SQUARE,
            "magnification": magnification(fit, seen),
            "starts": [start.summary for start in found.starts],
        },
        "noise": {
            "variance": pixels.noise.variance,
            "large_scale_variance": pixels.noise.large_scale_variance,
            "sky_pixels": pixels.noise.pixels,
        },
        "frame": {"pixel_scale_arcsec": pixels.scale_arcsec, "centre_row_column": list(pixels.centre)},
        "source": _source_frame(found),
        "scan": _scan(found.scan, redshifts),
        "masses": [_mass(found, mass, redshifts) for mass in found.masses],
        "controls": [_place(mass) for mass in found.controls],
        "mass_beside_control": found.mass_beside_control and _place(found.mass_beside_control),
        "control_beside_mass": found.control_beside_mass and _place(found.control_beside_mass),
        "notes": list(notes),
    }
    if redshifts is not None:
        numbers["redshifts"] = {"lens": redshifts.lens, "source": redshifts.source}
    return FrameResult(name, numbers, _images(pixels, found), pixels.psf, _source_image(found), found.scan, found.lens)


def _lens(found: FrameFit) -> dict[str, Any]:
    """Parameters with their errors, the light being fitted at the same time; and axis ratio and angle of the mass."""
    prior, free = found.prior, found.prior.free
    matrix = curvature(found.model, found.fit.linear, prior).matrix[free][:, free]
    errors = torch.zeros_like(prior.mean)
    errors[free] = torch.linalg.inv(matrix).diagonal().sqrt()
    pairs = zip(found.model.names, found.fit.parameters.tolist(), errors.tolist(), strict=True)
    values: dict[str, Any] = {name: {"value": value, "error": error} for name, value, error in pairs}
    h1, h2 = (values[f"ellipse_{part}"]["value"] for part in (1, 2))
    size = math.hypot(h1, h2)
    angle = math.degrees(0.5 * math.atan2(h2, h1))
    return {**values, "axis_ratio": math.sqrt(1 + size**2) - size, "angle_deg": angle % 180}


def _scan(scan: MassScan, redshifts: Redshifts | None) -> dict[str, Any]:
    """The most significant mass, and the smallest that would have 5 sigma at the most sensitive position."""
    row, column = scan.maxima(1, 1.0)[0]
    y, x = scan.at(row, column)
    found = {"significance": float(scan.significance[row, column]), "y_arcsec": y, "x_arcsec": x}
    smallest = 5 * float(scan.area_sigma.min())
    found |= {"area_arcsec2": float(scan.area[row, column]), "min_detectable_arcsec2": smallest}
    if redshifts is None:
        return found
    per_area = redshifts.msun_per_arcsec2
    return found | {"msun_per_arcsec2": per_area, "min_detectable_msun": smallest * per_area}


def _place(mass: MassFit) -> dict[str, Any]:
    """What a fit says of a mass, or of a negative mass."""
    return {
        "log_evidence_gain": mass.log_evidence_gain,
        "y_arcsec": mass.y,
        "x_arcsec": mass.x,
        "area_arcsec2": mass.area,
        "area_error_arcsec2": mass.area_sigma,
        "converged": mass.fit.converged,
    }


def _mass(fit: FrameFit, mass: MassFit, redshifts: Redshifts | None) -> dict[str, Any]:
    """A mass of a refit; with redshifts in solar masses, and that within 1 kpc."""
    images = counter_images(fit.residuals, mass.y, mass.x)
    found = {
        "profile": type(mass.profile).__name__,
        "significance": fit.residuals.significance(mass.y, mass.x),
        "counter_images": [image._asdict() for image in images],
        **_place(mass),
    }
    if redshifts is None:
        return found
    total = mass.area * redshifts.msun_per_arcsec2
    part = float(mass.profile.within(torch.tensor(APERTURE_KPC / redshifts.kpc_per_arcsec, dtype=torch.float64)))
    return found | {"mass_msun": total, "mass_within_1_kpc_msun": total * part}


def _images(pixels: Pixels, found: FrameFit) -> dict[str, np.ndarray]:
    """The image, the lens galaxy, the arcs, the residual, also whitened, and the noise of single pixels."""
    fit, seen = found.fit.linear, found.model.observation
    data, (light, arcs) = found.unit * seen.data, found.lens.images(seen)
    arrays = {
        "image": data,
        "lens_light": light,
        "arcs": arcs,
        "residual": data - light - arcs,
        "whitened_residual": fit.residual,
        "noise": found.unit * seen.sigma * pixels.noise.variance**0.5,
    }
    found_images = {}
    for name, values in arrays.items():
        image = np.full(pixels.image.shape, np.nan, np.float32)
        image[seen.use] = values.numpy()
        found_images[name] = image
    return found_images


def _source_frame(found: FrameFit) -> dict[str, Any]:
    """The grid of the source: its corners in arcsec, and the strength of its prior, in units of `FrameFit.unit`."""
    grid, fit = found.model.grid, found.fit.linear
    last = grid.step * (grid.side - 1)
    return {
        "y_arcsec": [grid.y, grid.y + last],
        "x_arcsec": [grid.x, grid.x + last],
        "nodes": grid.nodes,
        "step_arcsec": grid.step,
        "prior_strength": fit.prior.strength,
        "smallest_prior_width": 1.0 if fit.prior.widths is None else float(fit.prior.widths.min()),
        "clumps": [dict(zip(("y_arcsec", "x_arcsec"), grid.place(node), strict=True)) for node, _ in fit.prior.clumps],
    }


def _source_image(found: FrameFit) -> np.ndarray:
    """The source on a finer grid, row 0 at the top, [SOURCE_PIXELS, SOURCE_PIXELS]."""
    grid = found.model.grid
    along = torch.linspace(0, grid.step * (grid.side - 1), SOURCE_PIXELS, dtype=torch.float64)
    y, x = torch.meshgrid(grid.y + along.flip(0), grid.x + along, indexing="ij")
    points = torch.stack([y.flatten(), x.flatten()])
    light = grid.brightness(found.lens.source, points)
    return light.view(SOURCE_PIXELS, SOURCE_PIXELS).numpy().astype(np.float32)
