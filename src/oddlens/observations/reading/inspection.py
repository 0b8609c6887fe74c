"""What a file or folder holds, and how it would be read: units, arrays, classes, and the images."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from oddlens.observations.reading import file_formats, fits_units, image_files, listing, neighbours, pictures
from oddlens.observations.reading.array_files import ArrayFile
from oddlens.observations.reading.image_stacks import ImageStack, Reading
from oddlens.observations.reading.references import Reference

MAX_SHOWN = 10
"""Most arrays, groups or problems that are shown."""
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def describe(reference: str, reading: Reading) -> tuple[str, bool]:
    """A description of a file, a part of it or a folder in some lines, and whether all of it can be read.

    Pictures are described, too, though not all commands read them.
    """
    chosen, reading = Reference.parse(reference), replace(reading, pictures=True)
    lines = [reference]
    try:
        if chosen.path.is_dir():
            lines += [f"  {line}" for line in _folder(chosen.path)]
            found, complete = _images(_files(chosen.path), reading)
        else:
            file_format = file_formats.detect(chosen.path, pictures=True)
            lines += [f"  {line}" for line in _contents(chosen.path, file_format)]
            summary = list(_groups(chosen, file_format, reading))
            found, complete = (summary, True) if summary else _images([reference], reading)
        lines += [f"  {line}" for line in found]
    except (OSError, ValueError) as error:
        return "\n".join([*lines, f"  cannot be read: {error}"]), False
    return "\n".join(lines), complete


def _folder(folder: Path) -> Iterator[str]:
    """What is in a folder, and in each of its folders, by the endings of the names."""
    yield f"files: {_endings(folder)}"
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    yield from (f"folder {path.name}: {_endings(path)}" for path in inner[:MAX_SHOWN])
    if len(inner) > MAX_SHOWN:
        yield f"and {len(inner) - MAX_SHOWN} more folders"


def _endings(folder: Path) -> str:
    counts = Counter(path.suffix.lower() or "without an ending" for path in folder.iterdir() if path.is_file())
    return ", ".join(f"{count} {ending}" for ending, count in counts.most_common()) or "none"


def _files(folder: Path) -> list[str]:
    """The images of a folder; its pictures if it has no others."""
    try:
        images = neighbours.images_of(folder)
    except FileNotFoundError:
        images = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
        if not images and not any(path.is_dir() for path in folder.iterdir()):
            raise
    return [str(path) for path in images]


def _contents(path: Path, file_format: str) -> Iterator[str]:
    """The format of a file, and a line for each image of a FITS file or array of another."""
    yield f"format: {file_format}"
    if file_format == "FITS":
        units = fits_units.read(path, pixels=False)
        for unit in units:
            band, shape = f" of {unit.role.band}" if unit.role.band else "", "unreadable"
            if unit.images is not None:
                shape = " x ".join(map(str, unit.images.shape[unit.images.shape[0] == 1 :]))
            yield f"unit {unit.label}: {unit.role.kind}{band}, {shape} pixels"
        yield from filter(None, {unit.position: listing.table_note(path, unit) for unit in units}.values())
    elif file_format not in pictures.FORMATS:
        with ArrayFile(path, file_format) as file:
            names = file.names()
            shapes = [file.shape(name) for name in names[:MAX_SHOWN]]
        for name, (sides, dtype) in zip(names, shapes, strict=False):
            yield f"array{f' {name}' if name else ''}: {' x '.join(map(str, sides)) or 'one number'}, {dtype}"
        if len(names) > MAX_SHOWN:
            yield f"and {len(names) - MAX_SHOWN} more arrays"


def _groups(chosen: Reference, file_format: str, reading: Reading) -> Iterator[str]:
    """What an HDF5 file with an image in each of several data sets says of them."""
    if file_format != "HDF5" or chosen.index is not None:
        return
    try:
        images = list(listing.list_images(chosen, reading))
    except ValueError:
        return  # reading says why
    if len(images) < 2:
        return
    yield f"{sum(one.count for one in images)} images in {len(images)} data sets, the first {images[0].reference}"
    yield from (f"{name}: {_values(values)}" for name, values in _stated(images) if any(values))


def _stated(images: list[listing.ListedImages]) -> Iterator[tuple[str, list[str]]]:
    yield "objects", [one.object for one in images]
    yield "bands", [one.band for one in images]
    yield "classes", [one.label for one in images]
    scales = [one.pixel_scale_arcsec for one in images]
    yield "pixel scales", ["" if scale is None else f'{scale:.4g}"' for scale in scales]


def _values(values: list[str]) -> str:
    """Each value with its count, or the number of values if they are many."""
    counts = Counter(value or "unknown" for value in values)
    if len(counts) > MAX_SHOWN:
        return f"{len(counts)}, the first {next(iter(counts))}"
    return ", ".join(f"{value} ({count})" for value, count in counts.items())


def _images(references: list[str], reading: Reading) -> tuple[list[str], bool]:
    """How the images are read, once for all files that are read alike; and whether all can be read."""
    first: dict[tuple[str, ...], str] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    problems = []
    for reference in references:
        try:
            for stack in image_files.read(reference, reading):
                if stack.problem:
                    problems.append(f"not read: {stack.problem}")
                else:
                    first.setdefault(_how(stack), stack.label)
                    counts[_how(stack)] += 1
        except (OSError, ValueError) as error:
            if len(references) == 1:
                raise
            problems.append(f"not read: {error}")
    lines = []
    for (how, *notes), label in first.items():
        number = counts[(how, *notes)]
        others = f" and {number - 1} more files" if number > 1 else ""
        lines += [f"read as {label}{others}: {how}", *(f"  {note}" for note in notes)]
    more = [f"and {len(problems) - MAX_SHOWN} more are not read"] if len(problems) > MAX_SHOWN else []
    return [*lines, *problems[:MAX_SHOWN], *more], not problems


def _how(stack: ImageStack) -> tuple[str, ...]:
    """How the images of a stack are read, and what belongs to them."""
    count, height, width = stack.images.shape
    images = "1 image" if count == 1 else f"{count} images, [{stack.first or 0}] to [{(stack.first or 0) + count - 1}],"
    scale = "of unknown scale" if stack.pixel_scale_arcsec is None else f'of {stack.pixel_scale_arcsec:.4g}"'
    return (
        f"{images} of {height} x {width} pixels {scale}, {stack.images.dtype.newbyteorder('=')}",
        *stack.companions.notes,
    )
