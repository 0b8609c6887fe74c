"""The simulation that a data set's images come from: the priors of its lenses, sources and dark matter, and its camera.

Sections that are left out (ellipticity, multipoles, lens light, clumps) are not there at all: nothing about a prior is
decided here but the bounds that its values must keep.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, ValidationInfo, field_validator, model_validator

from oddlens.lensing import substructure_classes
from oddlens.schema.config_errors import nearest, validated
from oddlens.schema.priors import Prior, within
from oddlens.schema.section import Section


class Shear(Section):
    """External shear."""

    magnitude: Annotated[Prior, within(0, 0.9)]
    angle_deg: Prior


class Ellipticity(Section):
    """Shape of the halo's isodensity contours."""

    axis_ratio: Annotated[Prior, within(0.2, 1)]
    angle_deg: Prior


class Multipole(Section):
    """Relative deviation of the halo's isodensity contours from an ellipse: r ~ 1 + strength cos(m (phi - angle))."""

    strength: Annotated[Prior, within(0, 0.2)]
    angle_deg: Prior


class Sersic(Section):
    """An elliptical Sersic profile; `intensity` is its surface brightness at the effective radius."""

    axis_ratio: Annotated[Prior, within(0.05, 1)]
    angle_deg: Prior
    effective_radius_arcsec: Annotated[Prior, within(1e-3)]
    sersic_index: Annotated[Prior, within(0.3, 8)]
    intensity_per_arcsec2: Annotated[Prior, within(0)]


class Subtraction(Section):
    """The model of the lens's light that is subtracted again: the light itself with another brightness and size."""

    intensity_ratio: Annotated[Prior, within(0)]
    radius_ratio: Annotated[Prior, within(0.1, 10)]


class Light(Sersic):
    """The light of the lens galaxy, at its centre."""

    subtraction: Subtraction | None = None


class Lens(Section):
    """A singular isothermal halo, centred on the image, with what disturbs it."""

    redshift: Annotated[Prior, within(1e-3)]
    mass_msun: Annotated[Prior, within(1e6)]
    conserve_mass: bool = True
    ellipticity: Ellipticity | None = None
    multipole_3: Multipole | None = None
    multipole_4: Multipole | None = None
    shear: Shear
    light: Light | None = None


class Clumps(Section):
    """Further Sersic components of the source; ratios are to its main one."""

    number: Annotated[Prior, within(0, 20)]
    offset_ratio: Annotated[Prior, within(0)]
    offset_angle_deg: Prior
    radius_ratio: Annotated[Prior, within(1e-2)]
    intensity_ratio: Annotated[Prior, within(0)]
    axis_ratio: Annotated[Prior, within(0.05, 1)]
    angle_deg: Prior
    sersic_index: Annotated[Prior, within(0.3, 8)]


class Source(Sersic):
    """The lensed galaxy."""

    redshift: Annotated[Prior, within(1e-3)]
    offset_arcsec: Annotated[Prior, within(0)]
    offset_angle_deg: Prior
    clumps: Clumps | None = None


class Psf(Section):
    """The point-spread function: a profile, its full width at half maximum, and the side of its kernel in pixels."""

    profile: Literal["airy", "gaussian", "moffat"]
    fwhm_arcsec: Annotated[Prior, within(1e-3)]
    moffat_beta: Annotated[Prior, within(1.01, 100)] | None = None
    pixels: Annotated[int, Field(ge=3, le=201)]

    @field_validator("pixels")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"{value} is even; the kernel needs a central pixel: take {value + 1}")
        return value

    @model_validator(mode="after")
    def _beta_is_of_moffat(self) -> "Psf":
        if (self.profile == "moffat") != (self.moffat_beta is not None):
            raise ValueError(f"moffat_beta goes with profile moffat, which needs it; the profile is {self.profile}")
        return self


class Camera(Section):
    """Pixels, rays, point-spread function, exposure, sky and noise."""

    pixels: Annotated[int, Field(ge=8, le=512)]
    pixel_scale_arcsec: PositiveFloat
    over_sampling: Annotated[int, Field(ge=1, le=32)]
    error_sigma: Annotated[float, Field(gt=0, le=1)] | None = None
    psf: Psf
    zero_point_mag: Prior
    exposure_s: Annotated[Prior, within(1e-3)]
    sky_per_arcsec2: Annotated[Prior, within(0)]
    read_noise_electrons: Annotated[Prior, within(0)] | None = None
    noise: Literal["poisson", "none"]
    noise_correlation_pixels: Annotated[Prior, within(0, 10)] | None = None

    @field_validator("psf")
    @classmethod
    def _psf_is_seen(cls, psf: Psf, info: ValidationInfo) -> Psf:
        scale = info.data.get("pixel_scale_arcsec")
        if scale and psf.fwhm_arcsec.support()[1] > psf.pixels * scale:
            raise ValueError(
                f"a full width at half maximum of up to {psf.fwhm_arcsec.support()[1]:g} arcsec does not fit into "
                f"{psf.pixels} pixels of {scale:g} arcsec: raise psf.pixels"
            )
        return psf


class Simulation(Section):
    """All that the look of an image depends on, besides its name."""

    lens: Lens
    source: Source
    substructure: dict[str, dict[str, Any]]
    camera: Camera

    @field_validator("substructure")
    @classmethod
    def _known_classes(cls, classes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        anomalies = [name for name in substructure_classes.names() if name != substructure_classes.SMOOTH]
        for name in classes:
            if name not in anomalies:
                raise ValueError(f"unknown class '{name}'. {nearest(name, anomalies)}")
        return {
            name: validated(substructure_classes.module(name).Priors, priors, name).plain()
            for name, priors in classes.items()
        }

    @model_validator(mode="after")
    def _source_behind_lens(self) -> "Simulation":
        furthest, nearest_source = self.lens.redshift.support()[1], self.source.redshift.support()[0]
        if furthest >= nearest_source:
            raise ValueError(
                f"the lens may lie at redshift {furthest:g} and the source at {nearest_source:g}: "
                "lens.redshift must stay below source.redshift"
            )
        return self

    def only(self, cls: str) -> "Simulation":
        """The same simulation with the priors of one class alone: all that its images depend on."""
        return Simulation.model_construct(
            lens=self.lens,
            source=self.source,
            camera=self.camera,
            substructure={name: priors for name, priors in self.substructure.items() if name == cls},
        )


def extras(simulation: Simulation) -> list[str]:
    """What a simulation has beyond isothermal halos in a shear, Sersic sources and white noise."""
    lens, camera = simulation.lens, simulation.camera
    has = {
        "lens.multipole_3": lens.multipole_3,
        "lens.multipole_4": lens.multipole_4,
        "lens.light": lens.light,
        "source.clumps": simulation.source.clumps,
        "camera.noise_correlation_pixels": camera.noise_correlation_pixels,
        "camera.noise: none": camera.noise == "none" or None,
    }
    return [name for name, part in has.items() if part is not None]
