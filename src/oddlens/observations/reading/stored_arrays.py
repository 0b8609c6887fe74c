"""An array in an NPY, NPZ or HDF5 file that is not read yet: which one is meant, how large it is, and its images."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from oddlens.observations.reading.array_axes import as_stack, band_of, is_read_by_rows
from oddlens.observations.reading.file_formats import MAX_BYTES, MAX_SIDE_PIXELS, too_large
from oddlens.schema.config_errors import nearest

if TYPE_CHECKING:
    import h5py

    from oddlens.observations.reading.archived_arrays import ArchivedArray

DEFAULT_DATASET = "images"
"""The array that is read from an NPZ or HDF5 file if none is chosen."""
USUAL_DATASETS = (DEFAULT_DATASET, "image_data")
"""Names of the images that need not be chosen; the second is lenstronomy's."""
MAX_NAMES = 10
"""Most names of arrays in a message."""


@dataclass(frozen=True)
class StoredArray:
    """An array of a file, and what the file says of it."""

    where: str
    values: "np.ndarray | h5py.Dataset | ArchivedArray"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Attributes that may state the pixel scale or the class."""
    names: tuple[str, ...] = ()
    """The names of all its attributes."""
    bottom_first: bool = False
    """Whether row 0 of an image is its bottom."""
    name: str = ""
    """In an HDF5 file, with its groups."""
    format: str = "HDF5"
    """Of the file, for messages."""

    def read(self) -> np.ndarray:
        """The array as it is.

        Raises:
            ValueError: if it is too large or damaged.
        """
        if isinstance(self.values, np.ndarray):
            return self.values
        check_size(self.where, self.values.shape, self.values.dtype)
        with read_errors(self.where, self.format):
            return np.asarray(self.values[()])


class StoredImages:
    """The images [n, h, w] of an array, row 0 at the top. They are read when they are indexed, by a slice."""

    def __init__(self, stored: StoredArray, channel: int | None = None) -> None:
        """Understand the axes (`as_stack`).

        Raises:
            ValueError: if the array holds no images, or the channel is not there.
        """
        self._stored, self._channel = stored, channel
        values = stored.values
        self._rows: StoredArray | None = None
        if not isinstance(values, np.ndarray) and is_read_by_rows(stored.where, values.shape, values.dtype, channel):
            self._rows = stored
            self._stack = as_stack(stored.where, np.broadcast_to(np.zeros((), values.dtype), values.shape), channel)
        else:
            self._stack = as_stack(stored.where, stored.read(), channel)
        self.shape, self.dtype = self._stack.shape, self._stack.dtype

    def __getitem__(self, indices: slice) -> np.ndarray:
        """Some of the images.

        Raises:
            ValueError: if they are too large or damaged.
        """
        images = self._stack[indices]
        if self._rows is not None:
            values = self._rows.values
            rows = len(range(*indices.indices(self.shape[0])))
            check_size(self._rows.where, (rows, *values.shape[1:]), values.dtype)
            with read_errors(self._rows.where, self._rows.format):
                part = np.asarray(values[indices])
            images = band_of(part, self._channel).reshape(images.shape)
        return images[:, ::-1] if self._stored.bottom_first else images


@contextmanager
def read_errors(where: Path | str, file_format: str) -> Iterator[None]:
    """Turn the errors of libraries into a ValueError of one line."""
    try:
        yield
    except Exception as error:  # NumPy, zipfile and h5py raise errors of many types for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{where} cannot be read as {file_format} ({reason})") from error


def check_size(where: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise a ValueError if an array is empty or too large to be read."""
    if len(shape) > 1 and max(shape[-2:]) > MAX_SIDE_PIXELS:
        raise ValueError(too_large(where, max(shape[-2:])))
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_BYTES:
        raise ValueError(
            f"{where} has shape {shape}, {size / 2**30:.3g} GiB; at most {MAX_BYTES / 2**30:g} GiB are read: split it, "
            "or save it as NPY, which is read in parts"
        )


def chosen(path: Path, dataset: str, names: Sequence[str]) -> str:
    """The array that is read from a file: the one of this name. The default also stands for the only array.

    Raises:
        ValueError: if there is none of this name.
    """
    if dataset in names:
        return dataset
    if dataset == DEFAULT_DATASET:
        usual = [name for name in USUAL_DATASETS if name in names]
        if len(names) == 1 or usual:
            return (usual or names)[0]
    more = len(names) - MAX_NAMES
    known = nearest(dataset, names) if more <= 0 else f"Known: {', '.join(names[:MAX_NAMES])} and {more} more."
    raise ValueError(
        f"{path} has no array '{dataset}': choose one by --dataset. {known}" if names else f"{path} holds no array"
    )
