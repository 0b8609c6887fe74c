"""Images that belong together, and how the user wants files to be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from oddlens.observations.reading.companions import Companions
from oddlens.observations.reading.fits_rows import FitsRows
from oddlens.observations.reading.references import Reference
from oddlens.observations.reading.stored_arrays import DEFAULT_DATASET, StoredImages
from oddlens.observations.reading.wcs_scale import MAX_PIXEL_SCALE_ARCSEC


@dataclass(frozen=True)
class Reading:
    """How files are read: what the user says about them."""

    dataset: str = DEFAULT_DATASET
    """The data set of the images, in an HDF5 file."""
    channel: int | str | None = None
    """The band, from 0, of images that have several; or the `luminance` of an RGB picture."""
    pixel_scale_arcsec: float | None = None
    """Overrides the pixel scale of the files."""
    companions: Mapping[str, Path | None] = field(default_factory=dict)
    """References to `psf`, `noise` and `mask`. They override those in and next to the files."""
    neighbours: bool = True
    """Whether files next to an image are used."""
    pictures: bool = False
    """Whether pictures, which have no unit, are read."""

    def __post_init__(self) -> None:
        """Raise a ValueError for an impossible pixel scale."""
        scale = self.pixel_scale_arcsec
        if scale is not None and not 0 < scale < MAX_PIXEL_SCALE_ARCSEC:
            raise ValueError(
                f"--pixel-scale is {scale:g}: it must be above 0 and below {MAX_PIXEL_SCALE_ARCSEC} arcsec"
            )


DEFAULT_READING = Reading()


@dataclass(frozen=True)
class ImageStack:
    """Images of one file with equal shape, pixel scale and companions; or the problem with a part of a file."""

    label: str
    """A reference to the images (`references`), which no other stack has."""
    images: np.ndarray = field(default_factory=lambda: np.empty((0, 0, 0)))  # [n, h, w], numbers
    pixel_scale_arcsec: float | None = None
    """None if it is unknown."""
    companions: Companions = field(default_factory=Companions)
    has_header: bool = False
    """Whether the file could have stated a pixel scale: FITS."""
    problem: str = ""
    """Why there are no images."""
    first: int | None = None
    """Index of the first image, if they are a range of those that `label` refers to."""
    has_unit: bool = True
    """Whether the numbers may be a flux. Those of pictures are not."""

    @property
    def labels(self) -> list[str]:
        """A reference to each image."""
        return _labels(self.label, len(self.images), self.first)


def _labels(label: str, count: int, first: int | None = None) -> list[str]:
    if first is None and count == 1:
        return [label]
    return [f"{label}[{k}]" for k in range(first or 0, (first or 0) + count)]


@dataclass(frozen=True)
class StoredStack:
    """All images of a part of a file, which may still be in it; or the problem with this part."""

    label: str
    """A reference to them, without an index."""
    images: np.ndarray | StoredImages | FitsRows = field(default_factory=lambda: np.empty((0, 0, 0)))  # [n, h, w]
    pixel_scale_arcsec: float | None = None
    companions: Companions = field(default_factory=Companions)
    has_header: bool = False
    has_unit: bool = True
    problem: str = ""
    together: str = ""
    """Why the images are not those of several lenses, so that one must be chosen."""
    names: tuple[str, ...] = ()
    """The names of the header's cards, or of the attributes."""

    @property
    def count(self) -> int:
        """The number of images."""
        return self.images.shape[0]

    def labels(self, reference: Reference) -> list[str]:
        """A reference to each image that `chosen` gives; to the part if it has a problem."""
        if reference.indices is None:
            return _labels(self.label, self.count or 1)
        return [f"{self.label}[{k}]" for k in reference.indices]

    def chosen(self, reference: Reference) -> ImageStack:
        """The images with the indices of a reference, from the file. A part of a FITS file may be one with a problem.

        Raises:
            ValueError: if there are none.
        """
        label = self.label + str(reference).removeprefix(str(reference.whole))
        try:
            if self.problem:
                raise ValueError(self.problem)
            return self._chosen(label, reference.indices)
        except (OSError, ValueError) as error:
            if not self.has_header:
                raise
            return ImageStack(label, problem=str(error))

    def _chosen(self, label: str, indices: range | None) -> ImageStack:
        scale, own, header, unit = self.pixel_scale_arcsec, self.companions, self.has_header, self.has_unit
        if indices is None:
            if self.together:
                raise ValueError(f"{self.label}: {self.together}")
            return ImageStack(label, self.images[:], scale, own, header, has_unit=unit)
        if indices[-1] >= self.count:
            raise ValueError(f"{label}: there are {self.count} images, with the indices 0 to {self.count - 1}")
        images = self.images[indices.start : indices.stop]
        some = Companions(own.of_images(indices, self.count), own.notes)
        if len(indices) == 1:
            return ImageStack(f"{self.label}[{indices[0]}]", images, scale, some, header, has_unit=unit)
        return ImageStack(self.label, images, scale, some, header, first=indices.start, has_unit=unit)
