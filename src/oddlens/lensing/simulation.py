"""Config sections of a simulation: the priors of lenses, sources and dark matter, and the camera.

Optional sections (ellipticity, multipoles, lens light, clumps) switch a component off when they are left out. The
module has no default priors; it only defines the bounds that the values of priors must keep.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, ValidationInfo, field_validator, model_validator

from oddlens.lensing import power_law, substructure_classes
from oddlens.lensing.light_clump import LightClump
from oddlens.schema.config_errors import nearest, validated
from oddlens.schema.priors import Prior, within
from oddlens.schema.section import Section


class Shear(Section):
    """External shear."""

    magnitude: Annotated[Prior, within(0, 0.9)]
    """Magnitude of the shear."""
    angle_deg: Prior
    """Direction of the shear, in degrees, counter-clockwise from +x."""


class Ellipticity(Section):
    """Axis ratio and orientation of the halo's isodensity contours."""

    axis_ratio: Annotated[Prior, within(0.2, 1)]
    """Minor over major axis."""
    angle_deg: Prior
    """Direction of the major axis, in degrees, counter-clockwise from +x."""


class Multipole(Section):
    """Multipole of order m of the halo's isodensity contours: r ~ 1 + strength cos(m (phi - angle))."""

    strength: Annotated[Prior, within(0, 0.2)]
    """Relative deviation of the contours."""
    angle_deg: Prior
    """Direction of a maximum, in degrees, counter-clockwise from +x."""


class Sersic(Section):
    """Elliptical Sersic profile; `intensity` is the surface brightness at the effective radius."""

    axis_ratio: Annotated[Prior, within(0.05, 1)]
    """Minor over major axis."""
    angle_deg: Prior
    """Direction of the major axis, in degrees, counter-clockwise from +x."""
    effective_radius_arcsec: Annotated[Prior, within(1e-3)]
    """Effective radius, the geometric mean of both axes, in arcsec."""
    sersic_index: Annotated[Prior, within(0.3, 8)]
    """Sersic index."""
    intensity_per_arcsec2: Annotated[Prior, within(0)]
    """Surface brightness at the effective radius, in units of AB magnitude 25 per arcsec^2."""


class Subtraction(Section):
    """Lens-light model that is subtracted from the image: the lens light with its brightness and size multiplied."""

    intensity_ratio: Annotated[Prior, within(0)]
    """Brightness of the subtracted model over that of the light."""
    radius_ratio: Annotated[Prior, within(0.1, 10)]
    """Effective radius of the subtracted model over that of the light."""


class LightPriors(Sersic):
    """Light of the lens galaxy, centred on the image."""

    subtraction: Subtraction | None = None


class LensPriors(Section):
    """Isothermal or power-law halo, centred on the image, with multipoles, shear and the light of its galaxy."""

    redshift: Annotated[Prior, within(1e-3)]
    """Redshift of the lens, below that of the source."""
    mass_msun: Annotated[Prior, within(1e6)]
    """Mass inside the Einstein radius, including substructure, in solar masses."""
    conserve_mass: bool = True
    """Whether the mass of the substructure inside the Einstein radius is taken from the halo, or added to it."""
    ellipticity: Ellipticity | None = None
    slope: Annotated[Prior, within(power_law.MIN_SLOPE, power_law.MAX_SLOPE)] | None = None
    """Logarithmic slope of the halo's density in space, rho ~ r^-slope. Without it the halo is isothermal (2)."""
    multipole_3: Multipole | None = None
    multipole_4: Multipole | None = None
    shear: Shear
    light: LightPriors | None = None
    light_clump: LightClump | None = None


class Clumps(Section):
    """Further Sersic components of the source; ratios are relative to its main component."""

    number: Annotated[Prior, within(0, 20)]
    """Number of components besides the main one."""
    offset_ratio: Annotated[Prior, within(0)]
    """Distance from the centre of the source over its effective radius."""
    offset_angle_deg: Prior
    """Direction of the offset, in degrees, counter-clockwise from +x."""
    radius_ratio: Annotated[Prior, within(1e-2)]
    """Effective radius over that of the source."""
    intensity_ratio: Annotated[Prior, within(0)]
    """Brightness over that of the source."""
    axis_ratio: Annotated[Prior, within(0.05, 1)]
    """Minor over major axis."""
    angle_deg: Prior
    """Direction of the major axis, in degrees, counter-clockwise from +x."""
    sersic_index: Annotated[Prior, within(0.3, 8)]
    """Sersic index."""


class SourcePriors(Sersic):
    """Source galaxy."""

    redshift: Annotated[Prior, within(1e-3)]
    """Redshift of the source."""
    offset_arcsec: Annotated[Prior, within(0)]
    """Distance from the centre of the lens, in arcsec."""
    offset_angle_deg: Prior
    """Direction of the offset, in degrees, counter-clockwise from +x."""
    clumps: Clumps | None = None


class Psf(Section):
    """Point-spread function: a profile with its width and the side of its kernel, or a file with the kernel."""

    profile: Literal["airy", "gaussian", "moffat"] | None = None
    """Profile of the point-spread function."""
    fwhm_arcsec: Annotated[Prior, within(1e-3)] | None = None
    """Full width at half maximum, in arcsec."""
    moffat_beta: Annotated[Prior, within(1.01, 100)] | None = None
    """Exponent of a Moffat profile."""
    pixels: Annotated[int, Field(ge=3, le=201)] | None = None
    """Side of the kernel in pixels, an odd number. Of a file it is the central part; the default is all of it."""
    file: str | None = None
    """Instead of a profile: a FITS or NPY file with the kernel, `psf.fits` or `psf.fits#NAME`."""
    pixel_scale_arcsec: PositiveFloat | None = None
    """Pixel scale of the file, if it is finer than that of the camera: the kernel is then resampled."""
    kernel: list[list[float]] | None = None
    """Instead of a file: its kernel at the pixels of the camera, row 0 at the top. Saved models have it."""
    width_ratio: Annotated[Prior, within(0.2, 5)] | None = None
    """Full width of the images' point-spread function over that of the profile, which is then mis-set: detectors and
    all that an observer knows have the profile."""

    @field_validator("pixels")
    @classmethod
    def _has_a_central_pixel(cls, value: int | None) -> int | None:
        if value is not None and value % 2 == 0:
            raise ValueError(f"{value} is even, and the kernel needs a central pixel: use {value + 1}")
        return value

    @model_validator(mode="after")
    def _is_a_profile_or_a_file(self) -> "Psf":
        of_profile = [name for name in ("profile", "fwhm_arcsec", "moffat_beta") if getattr(self, name) is not None]
        given = [name for name in ("profile", "file", "kernel") if getattr(self, name) is not None]
        if len(given) != 1 or (of_profile and given != ["profile"]):
            nulls = "".join(f", {name}: null" for name in of_profile)
            raise ValueError(
                f"give a profile, or a file that replaces it; {' and '.join(given + of_profile[1:]) or 'none'} given. "
                f"Over a preset: psf: {{file: psf.fits{nulls}}}"
            )
        if self.width_ratio is not None and self.profile is None:
            raise ValueError("width_ratio is that of a profile, and there is none")
        if self.pixel_scale_arcsec is not None and self.file is None:
            raise ValueError("pixel_scale_arcsec is that of a file, and there is none")
        return self

    @model_validator(mode="after")
    def _a_profile_is_complete(self) -> "Psf":
        if self.profile is None:
            return self
        for name in ("fwhm_arcsec", "pixels"):
            if getattr(self, name) is None:
                raise ValueError(f"{name} is missing; a profile has no default")
        if (self.profile == "moffat") != (self.moffat_beta is not None):
            raise ValueError(
                f"moffat_beta goes with profile moffat and is required for it; the profile is {self.profile}"
            )
        return self


class Camera(Section):
    """Camera: pixels, rays per pixel, point-spread function, exposure, sky and noise."""

    pixels: Annotated[int, Field(ge=8, le=512)]
    """Side of the square images in pixels."""
    pixel_scale_arcsec: PositiveFloat
    """Side of a pixel, in arcsec."""
    over_sampling: Annotated[int, Field(ge=1, le=32)]
    """Rays per pixel side, in all pixels."""
    error_sigma: Annotated[float, Field(gt=0, le=1)] | None = None
    """Pixels get more rays until the numerical error is about this fraction of their noise."""
    psf: Psf
    zero_point_mag: Prior
    """AB magnitude of 1 electron / s."""
    exposure_s: Annotated[Prior, within(1e-3)]
    """Exposure, in seconds. With the brightness it determines the noise."""
    sky_per_arcsec2: Annotated[Prior, within(0)]
    """Sky brightness, in units of AB magnitude 25 per arcsec^2. It is subtracted; its noise stays."""
    read_noise_electrons: Annotated[Prior, within(0)] | None = None
    """Read noise of the whole exposure, per pixel, in electrons."""
    noise: Literal["poisson", "none"]
    """`poisson`, or `none`."""
    noise_correlation_pixels: Annotated[Prior, within(0, 10)] | None = None
    """Standard deviation of the Gaussian that correlates the noise of neighbouring pixels, at equal variance."""

    @field_validator("psf")
    @classmethod
    def _psf_fits_its_kernel(cls, psf: Psf, info: ValidationInfo) -> Psf:
        scale = info.data.get("pixel_scale_arcsec")
        if scale and psf.fwhm_arcsec and psf.pixels and psf.fwhm_arcsec.support()[1] > psf.pixels * scale:
            raise ValueError(
                f"a full width at half maximum of up to {psf.fwhm_arcsec.support()[1]:g} arcsec does not fit into "
                f"{psf.pixels} pixels of {scale:g} arcsec: raise psf.pixels"
            )
        return psf


class Simulation(Section):
    """Everything that determines an image, apart from its name."""

    lens: LensPriors
    source: SourcePriors
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
                f"the lens can be at redshift {furthest:g} and the source at {nearest_source:g}: "
                "lens.redshift must stay below source.redshift"
            )
        return self

    def only(self, cls: str) -> "Simulation":
        """The same simulation with the substructure priors of one class only, which determine its images."""
        return Simulation.model_construct(
            lens=self.lens,
            source=self.source,
            camera=self.camera,
            substructure={name: priors for name, priors in self.substructure.items() if name == cls},
        )


def complexities(simulation: Simulation) -> list[str]:
    """The keys of a simulation that go beyond isothermal halos in a shear, Sersic sources and white noise."""
    lens, camera = simulation.lens, simulation.camera
    has = {
        "lens.slope": lens.slope,
        "lens.multipole_3": lens.multipole_3,
        "lens.multipole_4": lens.multipole_4,
        "lens.light": lens.light,
        "lens.light_clump": lens.light_clump,
        "source.clumps": simulation.source.clumps,
        "camera.psf.width_ratio": camera.psf.width_ratio,
        "camera.noise_correlation_pixels": camera.noise_correlation_pixels,
        "camera.noise: none": camera.noise == "none" or None,
    }
    return [name for name, part in has.items() if part is not None]
