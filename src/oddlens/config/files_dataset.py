"""The section `datasets.<name>` of a data set whose images are the user's own files."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from oddlens.config.injection import Injection, fitted_simulation, injected_masses
from oddlens.lensing.simulation import Simulation
from oddlens.schema.section import Section

NORMAL_LABELS = ("smooth", "good", "normal", "no", "no_sub")
"""Labels that mean a normal image: ours, that of MVTec AD and anomalib, and those of DeepLense."""


class Split(Section):
    """How images without a role are divided among the pools. The rest is for training."""

    validation: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """The fraction of normal and unlabelled images for validation: thresholds and false-alarm probabilities."""
    test: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """The fraction of normal and unlabelled images that are tested."""
    contaminant: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The fraction of labelled anomalies that may contaminate training sets. The others are tested."""
    by: str = "object"
    """The column whose values stay together: images of one object are never in two pools."""

    @model_validator(mode="after")
    def _leaves_training_images(self) -> "Split":
        if self.validation + self.test >= 1:
            raise ValueError(f"validation and test are {self.validation + self.test:g} together: leave some to train")
        return self


class StatedCamera(Section):
    """What is known of the camera. A pixel of brightness m has the noise variance m / exposure_s + background."""

    noise: Literal["known", "estimated", "none"] = "estimated"
    """`known`: as stated here or in the sheet; `estimated` from the training images; `none`: images have no noise that
    could be modelled."""
    exposure_s: PositiveFloat | None = None
    """Exposure, in seconds, of images in electrons / s."""
    background: PositiveFloat | None = None
    """Noise variance of a pixel without light, (electrons / s)^2."""
    psf_fwhm_arcsec: PositiveFloat | None = None
    """Full width at half maximum of the point-spread function, in arcsec."""
    trust: bool = False
    """Whether stated values are used although they contradict the images."""


class Files(Section):
    """The user's own images: a sample sheet, or a folder."""

    sheet: str | None = None
    """A table (CSV or TSV) with one row for each image. Its paths count from its folder."""
    folder: str | None = None
    """A folder of images, whose folders are roles, labels, or both; or one file with many images."""
    pixels: Annotated[int, Field(ge=8, le=512)]
    """Side of the square images in pixels."""
    pixel_scale_arcsec: PositiveFloat | None = None
    """Side of a pixel, in arcsec, of files that do not state it."""
    fit: Literal["exact", "crop", "bin"] = "exact"
    """What is done to larger images: nothing, so that they are refused; the centre is cut out; or pixels are added up
    in squares. Images are never interpolated."""
    part: str | None = None
    """The extension of FITS files, or the data set of HDF5 and NPZ files, that has the images."""
    channel: NonNegativeInt | Literal["luminance"] | None = None
    """The band, from 0, of images that have several; or the luminance of colour pictures."""
    smooth: Annotated[list[str], Field(default_factory=lambda: list(NORMAL_LABELS))]
    """The labels of normal images. Every other label is an anomaly class."""
    split: Annotated[Split, Field(default_factory=Split)]
    """How images without a role are divided."""
    camera: Annotated[StatedCamera, Field(default_factory=StatedCamera)]
    """What is known of the camera."""
    normalise: Literal["none", "sky", "peak"] = "none"
    """`sky`: the median of its border is subtracted from each image; `peak`: each image is divided by its maximum,
    which loses its brightness."""
    nuisance: Annotated[list[str], Field(default_factory=list)]
    """Columns that must not tell the classes apart, such as a tile or a source galaxy."""
    strict: bool = True
    """Whether a leak between pools or classes ends the study."""
    bad: Literal["refuse", "skip"] = "refuse"
    """Whether images that cannot be used end the study, or are left out and reported."""
    per_shard: PositiveInt = 10_000
    """Images in one HDF5 file. The memory of a job grows with it."""

    @model_validator(mode="after")
    def _one_source(self) -> "Files":
        if (self.sheet is None) == (self.folder is None):
            raise ValueError("give either sheet or folder" + (", not both" if self.sheet else ""))
        return self

    @property
    def path(self) -> str:
        """The sheet or the folder."""
        return self.sheet or self.folder or ""


class FilesDataset(Section):
    """A data set whose images are the user's own files."""

    files: Files
    simulation: Simulation | None = None
    """What detectors that fit lenses assume. Without it they are left out."""
    inject: Injection | None = None
    """Masses that are injected into test images, to measure completeness."""

    @property
    def has_noise(self) -> bool:
        """Whether images have noise in whose units a fit can measure."""
        return self.files.camera.noise != "none"

    @model_validator(mode="after")
    def _simulation_has_these_pixels(self) -> "FilesDataset":
        if self.simulation and self.simulation.camera.pixels != self.files.pixels:
            raise ValueError(
                f"simulation.camera.pixels is {self.simulation.camera.pixels}, but files.pixels is "
                f"{self.files.pixels}: what is assumed must have the pixels of the images"
            )
        return self

    @model_validator(mode="after")
    def _masses_can_be_injected(self) -> "FilesDataset":
        if self.inject:
            try:
                injected_masses(self.inject, self.simulation)
                fitted_simulation(self.inject, self.simulation, self.has_noise)
            except ValueError as error:
                raise ValueError(f"inject {error}") from None
        return self
