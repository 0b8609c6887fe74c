"""Many images at once: each file is opened once, and a file that cannot be read does not end the others.

Pixels and refusals are those of `image_files.read`, because both read files by `OpenedFile`.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from oddlens.observations.reading.image_files import check_single
from oddlens.observations.reading.image_stacks import DEFAULT_READING, ImageStack, Reading, StoredStack
from oddlens.observations.reading.opened_files import OpenedFile
from oddlens.observations.reading.references import Reference

MAX_OPEN = 8
"""Files that are open at the same time. References to more files than this in turn open them again."""


@dataclass(frozen=True)
class Container:
    """What the file of an image is like, apart from the pixels: it must not tell the class of an image."""

    suffix: str
    """In lower case, with the point; `.fits.gz` is `.gz`."""
    bytes: int
    """Size of the file; of the image's pixels if the file has several images."""
    modified: float
    """Unix time, s."""
    dtype: str
    """Type of the pixels, in the order of bytes of this machine."""
    height: int
    width: int
    cards: int
    """Number of cards of the FITS header, of attributes of the array, or of entries of the picture."""
    header: str
    """Digest of their names; empty if there are none."""
    nan_fraction: float
    """Of the pixels in the file, before a mask."""
    shared: bool
    """Whether the file has further images, so that `modified` is not that of this one."""


@dataclass(frozen=True)
class BulkImage:
    """An image of a sequence of references, or the problem with a reference."""

    position: int
    """Of the reference in the sequence."""
    reference: str
    """A reference to this image alone."""
    image: np.ndarray | None = None
    """[h, w] float64. NaN where the file has no number, or its mask says that it must not be used."""
    pixel_scale_arcsec: float | None = None
    container: Container | None = None
    companions: Mapping[str, np.ndarray] = field(default_factory=dict)
    """`psf`, `noise` and `mask`, [h, w] each, as far as they are known."""
    has_unit: bool = True
    """Whether the numbers may be a flux. Those of pictures are not."""
    notes: tuple[str, ...] = ()
    problem: str = ""
    """Why there is no image: one line."""


def read_images(
    references: Sequence[str | Path | Reference],
    reading: Reading | Sequence[Reading] = DEFAULT_READING,
    *,
    single: bool = False,
) -> Iterator[BulkImage]:
    """The images of references to files or parts of them, in order; a reference may stand for many images.

    Args:
        references: to files, not to folders.
        reading: how all are read, or how each is.
        single: whether a reference to several images is refused, so that there is one entry for each reference.
    """
    readings = [reading] * len(references) if isinstance(reading, Reading) else reading
    with _OpenFiles() as files:
        for position, (text, how) in enumerate(zip(references, readings, strict=True)):
            try:
                yield from _images_of(files, position, text, how, single)
            except (OSError, ValueError) as error:
                yield _refused(position, str(text), error)


def _images_of(
    files: "_OpenFiles", position: int, text: str | Path | Reference, reading: Reading, single: bool
) -> Iterator[BulkImage]:
    reference = Reference.parse(text)
    file = files.open(reference.path, reading.pictures)
    stacks = file.stacks(reference, str(text), reading)
    if single:
        check_single(str(text), [label for stored in stacks for label in stored.labels(reference)])
    for stored in stacks:
        stack = stored.chosen(reference)
        if stack.problem:
            yield _refused(position, stack.label, stack.problem)
            continue
        facts = _facts(file, stored, stack)
        for k, label in enumerate(stack.labels):
            try:
                yield _image(position, label, stack, k, facts)
            except ValueError as error:
                yield _refused(position, label, error)


def _refused(position: int, label: str, problem: Exception | str) -> BulkImage:
    return BulkImage(position, label, problem=" ".join(str(problem).split()))


def _image(position: int, label: str, stack: ImageStack, k: int, facts: Mapping[str, str | int | float]) -> BulkImage:
    image = np.array(stack.images[k], np.float64)
    height, width = image.shape
    missing = float(np.isnan(image).mean()) if stack.images.dtype.kind == "f" else 0.0
    companions = stack.companions.of_image(k, len(stack.images))
    if (mask := companions.get("mask")) is not None:
        if mask.shape != image.shape:
            raise ValueError(f"{label}: the image has {image.shape} pixels, but its mask {mask.shape}")
        image[mask] = np.nan
    container = Container(**facts, height=height, width=width, nan_fraction=missing)  # type: ignore[arg-type]
    scale, notes = stack.pixel_scale_arcsec, stack.companions.notes
    return BulkImage(position, label, image, scale, container, companions, stack.has_unit, notes)


class _OpenFiles:
    """The files that were used last."""

    def __init__(self) -> None:
        self._files: OrderedDict[tuple[Path, bool], OpenedFile] = OrderedDict()

    def __enter__(self) -> "_OpenFiles":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def open(self, path: Path, pictures: bool) -> OpenedFile:
        """A file that is open or is opened now."""
        key = (path, pictures)
        if key not in self._files:
            self._files[key] = OpenedFile(path, pictures)
            if len(self._files) > MAX_OPEN:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(key)
        return self._files[key]


def _facts(file: OpenedFile, stored: StoredStack, stack: ImageStack) -> dict[str, str | int | float]:
    """What is equal for all images of a stack."""
    status = file.path.stat()
    shared = stored.count > 1 or file.format == "HDF5"
    pixels = stack.images.dtype.itemsize * int(np.prod(stack.images.shape[1:]))
    names = "\n".join(stored.names)
    return {
        "suffix": file.path.suffix.lower(),
        "bytes": pixels if shared else status.st_size,
        "modified": status.st_mtime,
        "dtype": stack.images.dtype.newbyteorder("=").name,
        "cards": len(stored.names),
        "header": hashlib.sha256(names.encode("utf-8", "replace")).hexdigest()[:16] if names else "",
        "shared": shared,
    }
