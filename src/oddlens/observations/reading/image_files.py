"""Images in FITS, HDF5, NPY and NPZ files of any origin, with the PSF, noise map and mask that belong to them.

The first bytes of a file determine its format, not its name (`file_formats`). NPY, NPZ and HDF5 files hold images with
row 0 at the top (`array_files`). FITS and lenstronomy count rows from the bottom, so their images are flipped. Pictures
(`pictures`) are read if the `Reading` allows them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from oddlens.observations.reading import neighbours
from oddlens.observations.reading.image_stacks import DEFAULT_READING, ImageStack, Reading
from oddlens.observations.reading.opened_files import OpenedFile
from oddlens.observations.reading.references import Reference


def read(reference: str | Path | Reference, reading: Reading = DEFAULT_READING) -> Iterator[ImageStack]:
    """The images of a file, of a part of it, or of the files of a folder (`references`, `neighbours.images_of`).

    A unit of a FITS file that cannot be used is a stack with a `problem`, and the other units are read. A group of an
    HDF5 file has the images of all its data sets, except those that belong to images by their names.

    Raises:
        FileNotFoundError, ValueError: if a file is missing or unsuitable.
    """
    chosen = Reference.parse(reference)
    if chosen.path.is_dir():
        images = neighbours.images_of(chosen.path)
        for path in images:
            part = replace(chosen, path=path)
            yield from _read_file(part, str(chosen if len(images) == 1 else part), reading)
    else:
        yield from _read_file(chosen, str(reference), reading)


def _read_file(reference: Reference, label: str, reading: Reading) -> Iterator[ImageStack]:
    with OpenedFile(reference.path, reading.pictures) as file:
        for part in file.parts(reference, reading):
            for stored in file.stacks(part, label if part == reference else str(part), reading):
                yield stored.chosen(part)


def read_single(reference: str | Path | Reference, reading: Reading = DEFAULT_READING) -> ImageStack:
    """The stack of a reference to one image.

    Raises:
        FileNotFoundError, ValueError: if there is none, or if there are several.
    """
    stacks = list(read(reference, reading))
    check_single(str(reference), [label for stack in stacks for label in stack.labels or [stack.label]])
    if stacks[0].problem:
        raise ValueError(stacks[0].problem)
    return stacks[0]


def check_single(reference: str, labels: Sequence[str]) -> None:
    """Raise a ValueError if a reference has several images.

    Args:
        reference: its text.
        labels: a reference to each of its images.
    """
    if len(labels) > 1:
        names = ", ".join(labels[:5]) + (", ..." if len(labels) > 5 else "")
        raise ValueError(f"{reference} has {len(labels)} images, one is expected: choose one of {names}")
