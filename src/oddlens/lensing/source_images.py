"""Config section of sources that are images of real galaxies."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, NonNegativeFloat, model_validator

from oddlens.schema.section import Section

MISSING_FILE = (
    "file is missing: give the path of your catalogue of galaxies (docs/simulation.md says how it must look), "
    "source: {images: {file: galaxies.fits}}"
)


class SourceImages(Section):
    """Images of galaxies as sources, from a catalogue of cut-outs. They are denoised, sharpened, turned and scaled."""

    file: str | None = None
    """FITS file with the cut-outs `GAL<name>` and their point-spread functions `PSF<name>`."""
    noise_correlation: str | None = None
    """FITS file with the correlation function of their noise, with lag 0 in the middle. The default is white noise."""
    min_peak_sn: NonNegativeFloat = 10.0
    """The least signal-to-noise ratio of the brightest pixel; fainter galaxies are left out."""
    min_radius_fwhm: NonNegativeFloat = 1.0
    """The least half-light radius over the width of the point-spread function; smaller galaxies are left out."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """About this fraction of the galaxies is for test images only, and the others for all other images."""

    @model_validator(mode="after")
    def _has_a_file(self) -> "SourceImages":
        if not self.file:
            raise ValueError(MISSING_FILE)
        return self

    @property
    def files(self) -> list[str]:
        """The files of the catalogue."""
        return [file for file in (self.file, self.noise_correlation) if file is not None]


def without_folders(simulation: dict[str, Any]) -> dict[str, Any]:
    """A simulation as plain data whose catalogue of galaxies, if any, is named without its folder.

    Saved models do not need the catalogue; they only state it.
    """
    images = simulation["source"].get("images")
    if not images:
        return simulation
    named = {key: images[key] and Path(images[key]).name for key in ("file", "noise_correlation")}
    return {**simulation, "source": {**simulation["source"], "images": {**images, **named}}}
