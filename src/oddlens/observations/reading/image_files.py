"""Images in FITS, HDF5, NPY and NPZ files of any origin, with the PSF, noise map and mask that belong to them.

The first bytes of a file determine its format, not its name (`file_formats`). NPY, NPZ and HDF5 files hold images with
row 0 at the top (`array_files`). FITS counts rows from the bottom, so its images are flipped.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from oddlens.observations.background import sky_level
from oddlens.observations.reading import array_files, companions, file_formats, fits_units, neighbours
from oddlens.observations.reading.companions import Companions
from oddlens.observations.reading.fits_units import FitsUnit
from oddlens.observations.reading.pixel_scale import pixel_scale
from oddlens.observations.reading.references import Reference
from oddlens.observations.reading.wcs_scale import MAX_PIXEL_SCALE_ARCSEC


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

    @property
    def labels(self) -> list[str]:
        """A reference to each image."""
        count = len(self.images)
        return [self.label] if count == 1 else [f"{self.label}[{k}]" for k in range(count)]


@dataclass(frozen=True)
class Reading:
    """How files are read: what the user says about them."""

    dataset: str = array_files.DEFAULT_DATASET
    """The data set of the images, in an HDF5 file."""
    channel: int | None = None
    """The band, from 0, of arrays that have several."""
    pixel_scale_arcsec: float | None = None
    """Overrides the pixel scale of the files."""
    companions: Mapping[str, Path | None] = field(default_factory=dict)
    """References to `psf`, `noise` and `mask`. They override those in and next to the files."""
    neighbours: bool = True
    """Whether files next to an image are used."""

    def __post_init__(self) -> None:
        """Raise a ValueError for an impossible pixel scale."""
        scale = self.pixel_scale_arcsec
        if scale is not None and not 0 < scale < MAX_PIXEL_SCALE_ARCSEC:
            raise ValueError(
                f"--pixel-scale is {scale:g}: it must be above 0 and below {MAX_PIXEL_SCALE_ARCSEC} arcsec"
            )


DEFAULT_READING = Reading()


def read(reference: str | Path, reading: Reading = DEFAULT_READING) -> Iterator[ImageStack]:
    """The images of a file, of a part of it, or of the files of a folder (`references`, `neighbours.images_of`).

    A unit of a FITS file that cannot be used is a stack with a `problem`, and the other units are read.

    Raises:
        FileNotFoundError, ValueError: if a file is missing or unsuitable.
    """
    chosen = Reference.parse(reference)
    if chosen.path.is_dir():
        images = neighbours.images_of(chosen.path)
        for path in images:
            label = str(chosen.path if len(images) == 1 else path)
            yield from _read_file(Reference(path), label, reading)
    else:
        yield from _read_file(chosen, str(reference), reading)


def _read_file(reference: Reference, label: str, reading: Reading) -> Iterator[ImageStack]:
    path, file_format = reference.path, file_formats.detect(reference.path)
    if file_format == "FITS":
        yield from _read_fits(reference, label, reading)
        return
    images, scale = array_files.read_images(
        path,
        file_format,
        dataset=reference.unit or reading.dataset,
        channel=reading.channel,
        pixel_scale_arcsec=reading.pixel_scale_arcsec,
    )
    own = companions.find(path, scale, reading.companions, reading.neighbours)
    if file_format == "HDF5" and len(images) == 1 and "noise" not in own.arrays:
        light = images[0] - sky_level(images[0], np.isfinite(images[0]))
        noise = array_files.poisson_noise(path, file_format, light)
        own = own if noise is None else own.with_noise(noise)
    yield _stack(label, images, scale, own, reference.index)


def _read_fits(reference: Reference, label: str, reading: Reading) -> Iterator[ImageStack]:
    """A stack for each unit that holds observed images."""
    path = reference.path
    units = fits_units.read(path)
    named = [fits_units.named(units, reference)] if reference.unit else []
    chosen = named or fits_units.science_units(path, units)
    for unit in chosen:
        own_label = label if named or len(chosen) == 1 else f"{label}#{unit.label}"
        try:
            yield _fits_stack(unit, units, own_label, reference, reading)
        except (OSError, ValueError) as error:
            yield ImageStack(own_label, problem=str(error))


def _fits_stack(
    unit: FitsUnit, units: list[FitsUnit], label: str, reference: Reference, reading: Reading
) -> ImageStack:
    problem = unit.problem or ("" if reference.index is not None else fits_units.spectral_problem(unit))
    if unit.images is None or problem:
        raise ValueError(f"{label}: {problem}")
    scale = pixel_scale(reference.path, unit.header, reading.pixel_scale_arcsec, unit.primary)
    own = companions.find(reference.path, scale, reading.companions, reading.neighbours, unit, units)
    stack = _stack(label, unit.images, scale, own, reference.index)
    return replace(stack, has_header=True)


def _stack(label: str, images: np.ndarray, scale: float | None, own: Companions, index: int | None) -> ImageStack:
    """The images of a file, or the one with an index, whose label has the index already."""
    if index is None:
        return ImageStack(label, images, scale, own)
    if index >= len(images):
        raise ValueError(f"{label}: there are {len(images)} images, with the indices 0 to {len(images) - 1}")
    return ImageStack(label, images[index : index + 1], scale, Companions(own.of_image(index, len(images)), own.notes))


def read_single(reference: str | Path, reading: Reading = DEFAULT_READING) -> ImageStack:
    """The stack of a reference to one image.

    Raises:
        FileNotFoundError, ValueError: if there is none, or if there are several.
    """
    stacks = list(read(reference, reading))
    if len(labels := [label for stack in stacks for label in stack.labels or [stack.label]]) > 1:
        names = ", ".join(labels[:5]) + (", ..." if len(labels) > 5 else "")
        raise ValueError(f"{reference} has {len(labels)} images, one is expected: choose one of {names}")
    if stacks[0].problem:
        raise ValueError(stacks[0].problem)
    return stacks[0]
