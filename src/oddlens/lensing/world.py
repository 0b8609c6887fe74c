"""The world that a data set's images come from: the priors of its lenses, sources and dark matter, and its camera."""

from typing import Annotated, Any

from pydantic import Field, PositiveFloat, field_validator, model_validator

from oddlens.lensing import substructure
from oddlens.mistakes import nearest, validated
from oddlens.priors import Prior, within
from oddlens.section import Section


class Shear(Section):
    """External shear."""

    magnitude: Annotated[Prior, within(0, 0.9)]
    angle_deg: Prior


class Lens(Section):
    """A singular isothermal sphere with external shear, centred on the image."""

    redshift: Annotated[Prior, within(1e-3)]
    mass_msun: Annotated[Prior, within(1e6)]
    shear: Shear


class Source(Section):
    """An elliptical Sersic source; `intensity` is its surface brightness at the effective radius."""

    redshift: Annotated[Prior, within(1e-3)]
    offset_arcsec: Annotated[Prior, within(0)]
    offset_angle_deg: Prior
    axis_ratio: Annotated[Prior, within(0.05, 1)]
    angle_deg: Prior
    effective_radius_arcsec: Annotated[Prior, within(1e-3)]
    sersic_index: Annotated[Prior, within(0.3, 8)]
    intensity_per_arcsec2: Annotated[Prior, within(0)]


class Camera(Section):
    """Pixels, point-spread function, exposure and sky."""

    pixels: Annotated[int, Field(ge=8, le=512)]
    pixel_scale_arcsec: PositiveFloat
    over_sampling: Annotated[int, Field(ge=1, le=32)]
    psf_first_zero_arcsec: PositiveFloat
    psf_pixels: Annotated[int, Field(ge=3, le=101)]
    exposure_s: Annotated[Prior, within(1e-3)]
    sky_per_arcsec2: Annotated[Prior, within(0)]

    @field_validator("psf_pixels")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"{value} is even; the kernel needs a central pixel: take {value + 1}")
        return value


class World(Section):
    """All that the look of an image depends on, besides its name."""

    lens: Lens
    source: Source
    substructure: dict[str, dict[str, Any]]
    camera: Camera

    @field_validator("substructure")
    @classmethod
    def _known_classes(cls, classes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        anomalies = [name for name in substructure.names() if name != substructure.SMOOTH]
        for name in classes:
            if name not in anomalies:
                raise ValueError(f"unknown class '{name}'. {nearest(name, anomalies)}")
        return {
            name: validated(substructure.module(name).Priors, priors, name).plain() for name, priors in classes.items()
        }

    @model_validator(mode="after")
    def _source_behind_lens(self) -> "World":
        furthest, nearest_source = self.lens.redshift.support()[1], self.source.redshift.support()[0]
        if furthest >= nearest_source:
            raise ValueError(
                f"the lens may lie at redshift {furthest:g} and the source at {nearest_source:g}: "
                "lens.redshift must stay below source.redshift"
            )
        return self

    def only(self, cls: str) -> "World":
        """The same world with the priors of one class alone: all that its images depend on."""
        return World.model_construct(
            lens=self.lens,
            source=self.source,
            camera=self.camera,
            substructure={name: priors for name, priors in self.substructure.items() if name == cls},
        )
