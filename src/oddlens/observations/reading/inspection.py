"""What a file holds, and how it would be read: the units of FITS files with their roles, and the images."""

from collections.abc import Iterator
from pathlib import Path

from oddlens.observations.reading import file_formats, fits_units, image_files
from oddlens.observations.reading.image_files import ImageStack, Reading
from oddlens.observations.reading.references import Reference


def describe(reference: str, reading: Reading) -> tuple[str, bool]:
    """A description of a file, a part of it or a folder in some lines, and whether all of it can be read."""
    chosen = Reference.parse(reference)
    lines = [reference]
    complete = True
    try:
        if not chosen.path.is_dir():
            lines += [f"  {line}" for line in _contents(chosen.path)]
        for stack in image_files.read(reference, reading):
            lines += [f"  {line}" for line in _stack_lines(stack)]
            complete &= not stack.problem
    except (OSError, ValueError) as error:
        return "\n".join([*lines, f"  cannot be read: {error}"]), False
    return "\n".join(lines), complete


def _contents(path: Path) -> Iterator[str]:
    """The format of a file, and a line for each image of a FITS file."""
    file_format = file_formats.detect(path)
    yield f"format: {file_format}"
    if file_format != "FITS":
        return
    for unit in fits_units.read(path):
        shape = (
            "unreadable"
            if unit.images is None
            else " x ".join(map(str, unit.images.shape[unit.images.shape[0] == 1 :]))
        )
        band = f" of {unit.role.band}" if unit.role.band else ""
        yield f"unit {unit.label}: {unit.role.kind}{band}, {shape} pixels"


def _stack_lines(stack: ImageStack) -> Iterator[str]:
    """How the images of a stack are read, or why they are not."""
    if stack.problem:
        yield f"not read: {stack.problem}"
        return
    count, height, width = stack.images.shape
    scale = "of unknown scale" if stack.pixel_scale_arcsec is None else f'of {stack.pixel_scale_arcsec:.4g}"'
    images = "1 image" if count == 1 else f"{count} images, {stack.labels[0]} to {stack.labels[-1]},"
    yield f"read as {stack.label}: {images} of {height} x {width} pixels {scale}, {stack.images.dtype}"
    yield from (f"  {note}" for note in stack.companions.notes)
