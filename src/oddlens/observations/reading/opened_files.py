"""A file of images that is opened once, whatever number of its images is read."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from oddlens.observations.reading import array_scale, companions, file_formats, fits_units, listing, pictures
from oddlens.observations.reading.array_axes import as_stack
from oddlens.observations.reading.array_files import ArrayFile
from oddlens.observations.reading.companions import Companions
from oddlens.observations.reading.fits_rows import FitsRows
from oddlens.observations.reading.fits_units import FitsUnit
from oddlens.observations.reading.image_stacks import Reading, StoredStack
from oddlens.observations.reading.pixel_scale import pixel_scale
from oddlens.observations.reading.references import Reference
from oddlens.observations.reading.stored_arrays import StoredImages

MAX_KNOWN = 8
"""Parts of a file, or ways of reading them, that are remembered."""
BOTTOM_FIRST = "Row 0 of files for lenstronomy is the bottom: images and what belongs to them are flipped."


class OpenedFile:
    """An open FITS, HDF5, NPY or NPZ file, or picture."""

    def __init__(self, path: Path, with_pictures: bool = False) -> None:
        """Open it.

        Raises:
            FileNotFoundError, ValueError: if it is missing, damaged or of another format.
        """
        self.path = path
        self.format = file_formats.detect(path, with_pictures)
        self._known: list[tuple[str, Reading, list[StoredStack]]] = []
        self._images: list[tuple[str, int | None, StoredImages]] = []
        self._arrays = self._units = None
        if self.format == "FITS":
            self._units = fits_units.read(path, by_rows=True)
        elif self.format not in pictures.FORMATS:
            self._arrays = ArrayFile(path, self.format)

    def __enter__(self) -> Self:
        """The file itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close it; images that were read stay."""
        if self._arrays is not None:
            self._arrays.close()
        for unit in self._units or ():
            if isinstance(unit.images, FitsRows):
                unit.images.close()

    def stacks(self, reference: Reference, label: str, reading: Reading) -> list[StoredStack]:
        """The images of a part of the file, or of all parts that are observed images.

        A unit of a FITS file that cannot be used is a stack with a `problem`.

        Args:
            reference: to the part; its index is not used.
            label: the text of the reference.

        Raises:
            ValueError: if there are none.
        """
        for unit, known, stacks in self._known:
            if unit == reference.unit and known == reading:
                return stacks
        base = label if reference.index is None else label[: label.rindex("[")]
        if self._units is not None:
            stacks = list(self._of_units(self._units, reference, base, reading))
        elif self._arrays is not None:
            stacks = [self._of_array(self._arrays, reference, base, reading)]
        else:
            stacks = [self._of_picture(reference, base, reading)]
        self._known = [*self._known[1 - MAX_KNOWN :], (reference.unit, reading, stacks)]
        return stacks

    def parts(self, reference: Reference, reading: Reading) -> Iterator[Reference]:
        """A reference to each data set with images of an HDF5 file that has them in groups, or of a group in it.

        Of other files, and of a data set, the reference itself.
        """
        if self._arrays is None or self.format != "HDF5":
            return iter([reference])
        return listing.parts(self._arrays.hdf5, reference, reading)

    def _of_array(self, file: ArrayFile, reference: Reference, label: str, reading: Reading) -> StoredStack:
        dataset, channel = reference.unit or reading.dataset, reading.channel
        if isinstance(channel, str):
            raise ValueError(f"{label} is no RGB picture: --channel must be the number of the band, not {channel}")
        stored = file.array(dataset)
        images = next((known for *key, known in self._images if key == [dataset, channel]), None)
        if images is None:
            images = StoredImages(stored, channel)
            self._images = [*self._images[1 - MAX_KNOWN :], (dataset, channel, images)]
        scale = reading.pixel_scale_arcsec
        scale = array_scale.pixel_scale(self.path, stored.attributes) if scale is None else scale
        own = companions.find(self.path, scale, reading.companions, reading.neighbours)
        if self.format == "HDF5" and images.shape[0] == 1 and "noise" not in own.arrays:
            noise = file.noise(stored, images[:][0])
            own = own if noise is None else own.with_noise(noise)
        if stored.bottom_first:
            own = replace(own, notes=(*own.notes, BOTTOM_FIRST))
        return StoredStack(label, images, scale, own, names=stored.names)

    def _of_picture(self, reference: Reference, label: str, reading: Reading) -> StoredStack:
        if reference.unit:
            raise ValueError(f"{label}: a picture has no part '{reference.unit}'")
        picture = pictures.read(self.path, self.format, reading.channel)
        scale = reading.pixel_scale_arcsec
        own = companions.find(self.path, scale, reading.companions, reading.neighbours)
        own = Companions(own.arrays, (*own.notes, *picture.notes))
        return StoredStack(label, picture.image[None], scale, own, has_unit=False, names=picture.names)

    def _of_units(
        self, units: list[FitsUnit], reference: Reference, label: str, reading: Reading
    ) -> Iterator[StoredStack]:
        """A stack for each unit that holds observed images."""
        named = [fits_units.named(units, reference)] if reference.unit else []
        chosen = named or fits_units.science_units(self.path, units)
        for unit in chosen:
            own_label = label if named or len(chosen) == 1 else f"{label}#{unit.label}"
            try:
                yield self._of_unit(unit, units, own_label, reading)
            except (OSError, ValueError) as error:
                yield StoredStack(own_label, problem=str(error), has_header=True)

    def _of_unit(self, unit: FitsUnit, units: list[FitsUnit], label: str, reading: Reading) -> StoredStack:
        if unit.images is None:
            raise ValueError(f"{label}: {unit.problem}")
        scale = pixel_scale(self.path, unit.header, reading.pixel_scale_arcsec, unit.primary, unit.cards)
        own = companions.find(self.path, scale, reading.companions, reading.neighbours, unit, units)
        images: np.ndarray | FitsRows = unit.images
        together = fits_units.spectral_problem(unit)
        if reading.channel is not None:
            if isinstance(reading.channel, str):
                raise ValueError(f"{label} is no RGB picture: --channel must be the number of the band")
            planes, together = len(images), ""
            images = as_stack(label, np.asarray(images), reading.channel)
            with suppress(ValueError):  # companions of one plane are those of all planes
                own = replace(own, arrays=own.of_image(reading.channel, planes))
        names = tuple(unit.header.keys())
        return StoredStack(label, images, scale, own, has_header=True, together=together, names=names)
