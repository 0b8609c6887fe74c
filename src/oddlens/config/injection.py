"""The section `datasets.<name>.inject`: masses that are injected into test images, to measure completeness."""

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator

from oddlens.data.pools import UNLABELLED, Pools
from oddlens.lensing.simulation import Simulation
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.schema.section import Section


class Redshifts(Section):
    """Redshifts of lens and source, which convert solar masses to deflections."""

    lens: Annotated[float, Field(ge=1e-3, le=20)]
    """Redshift of the lens, below that of the source."""
    source: Annotated[float, Field(ge=1e-3, le=20)]
    """Redshift of the source."""

    @model_validator(mode="after")
    def _source_behind_lens(self) -> "Redshifts":
        if self.lens >= self.source:
            raise ValueError(f"the lens is at redshift {self.lens:g} and the source at {self.source:g}: swap them?")
        return self


class Injection(Section):
    """Masses whose effect on test images is added to them, so that the detected fraction is known without labels."""

    masses_msun: Annotated[list[PositiveFloat], Field(min_length=1, max_length=20)]
    """Masses in solar masses, in ascending order."""
    images: PositiveInt = 500
    """Test images that get each of the masses."""
    truncation_arcsec: NonNegativeFloat = 0.2
    """Radius at which the density of the mass steepens, in arcsec; 0: a point mass."""
    redshifts: Redshifts | None = None
    """Redshifts of lens and source. The default is the means of the simulation."""
    model: Literal["auto", "lensfit", "ring"] = "auto"
    """The smooth model of an image: `lensfit`: the best lens of the simulation; `ring`: a free-form model of the ring;
    `auto`: the first where it explains the image, else the second."""

    @field_validator("masses_msun")
    @classmethod
    def _ascending(cls, masses: list[float]) -> list[float]:
        if sorted(set(masses)) != masses:
            raise ValueError(f"{masses} is not in ascending order without repetitions: write {sorted(set(masses))}")
        return masses


def injected_masses(injection: Injection, simulation: Simulation | None) -> dict[str, Any]:
    """The fields of `oddlens.stages.inject.Masses`; redshifts that are not given are the means of a simulation.

    Raises:
        ValueError: there are neither redshifts nor a simulation.
    """
    redshifts = injection.redshifts
    if redshifts is None:
        if simulation is None:
            raise ValueError("needs redshifts: {lens: ..., source: ...}, which convert solar masses to deflections")
        redshifts = Redshifts(lens=simulation.lens.redshift.mean(), source=simulation.source.redshift.mean())
    return {
        "masses_msun": injection.masses_msun,
        "truncation_arcsec": injection.truncation_arcsec,
        "lens_redshift": redshifts.lens,
        "source_redshift": redshifts.source,
    }


def fitted_simulation(injection: Injection, simulation: Simulation | None, noise: bool) -> Simulation | None:
    """The simulation whose smooth lenses are fitted to the images; None: all models are ring models.

    Args:
        noise: whether the images have noise in whose units a fit can measure.

    Raises:
        ValueError: the model is that of lensfit, which cannot fit these images.
    """
    if injection.model == "ring":
        return None
    if simulation is not None and noise:
        return simulation.only(SMOOTH)
    if injection.model == "lensfit":
        lacks = "a simulation, which says what to assume of the lenses" if noise else "a camera with noise"
        raise ValueError(f"needs {lacks}, for model: lensfit; or choose auto or ring")
    return None


def injected_class(pools: Pools) -> str:
    """The class of the test images that get masses: smooth ones, or unlabelled ones if none is known to be smooth.

    Raises:
        ValueError: all test images are known to be anomalous.
    """
    tested = pools.classes("test")
    for cls in (pools.smooth, UNLABELLED):
        if cls in tested:
            return cls
    raise ValueError(f"needs smooth or unlabelled test images; there are only {', '.join(tested) or 'none'}")
