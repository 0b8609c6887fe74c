"""Images in NPY, NPZ and HDF5 files: which array is read, and its pixel scale. Row 0 of an image is its top.

An array of another name than `DEFAULT_DATASET` must be chosen, unless it is the only one of the file. Nothing is
unpickled. NPY files are mapped into memory, and images of HDF5 and NPZ files are read one by one, so they may be larger
than the memory. Arrays of NPZ files may have `MAX_BYTES`.
"""

import math
import zipfile
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from oddlens.observations.background import sky_level
from oddlens.observations.reading.archived_arrays import ArchivedArray
from oddlens.observations.reading.array_scale import pixel_scale
from oddlens.observations.reading.stored_arrays import (
    DEFAULT_DATASET,
    StoredArray,
    StoredImages,
    check_size,
    chosen,
    read_errors,
)

NOISE_DATASETS = ("background_rms", "exposure_time")
"""Data sets of lenstronomy from which the noise follows."""


class ArrayFile:
    """An open NPY, NPZ or HDF5 file."""

    def __init__(self, path: Path, file_format: str) -> None:
        """Open it.

        Args:
            file_format: as `file_formats.detect` gives it.

        Raises:
            ValueError: if it is damaged.
        """
        self.path, self.format = path, file_format
        self._archived: list[ArchivedArray] = []
        if file_format == "HDF5":
            from oddlens.observations.reading.hdf5_files import Hdf5File

            self.hdf5 = Hdf5File(path)

    def __enter__(self) -> Self:
        """The file itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close it; arrays that were read stay."""
        if self.format == "HDF5":
            self.hdf5.close()
        for values in self._archived:
            values.close()

    def array(self, dataset: str = DEFAULT_DATASET) -> StoredArray:
        """The array of this name.

        Raises:
            ValueError: if there is none of this name, or it is too large, holds Python objects or is damaged.
        """
        if self.format == "NPY":
            return StoredArray(str(self.path), _npy(self.path))
        if self.format == "HDF5":
            return self.hdf5.array(dataset)
        stored = _npz(self.path, dataset)
        if isinstance(stored.values, ArchivedArray):
            self._archived.append(stored.values)
        return stored

    def names(self) -> list[str]:
        """The names of its arrays; that of an NPY file is empty.

        Raises:
            ValueError: if the file is damaged.
        """
        if self.format == "NPY":
            return [""]
        return list(_members(self.path)) if self.format == "NPZ" else self.hdf5.names()

    def shape(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """The shape, empty for a single number, and the type of one of its arrays.

        Raises:
            ValueError: if the file is damaged.
        """
        if self.format == "HDF5":
            return self.hdf5.shape(name)
        if self.format == "NPZ":
            return _members(self.path)[name].shape, _members(self.path)[name].dtype
        with read_errors(self.path, "NPY"), self.path.open("rb") as file:
            shape, _, dtype = _header(file)
        return shape, dtype

    def noise(self, stored: StoredArray, image: np.ndarray) -> np.ndarray | None:
        """The noise of an image in counts per second, sqrt(rms^2 + max(light, 0) / exposure).

        From the HDF5 data sets `background_rms` and `exposure_time` (s) beside it, each a number or an image, as files
        for lenstronomy have them; None if the file has no such data sets.

        Args:
            stored: the array of this file that holds the image.
            image: with light and sky, [h, w], row 0 at the top.
        """
        maps = []
        for name in NOISE_DATASETS:
            values = self.hdf5.beside(stored.name, name) if self.format == "HDF5" else None
            if values is None or values.shape not in ((), image.shape):
                return None
            maps.append(values[::-1] if values.ndim and stored.bottom_first else values)
        rms, exposure = maps
        light = image - sky_level(image, np.isfinite(image))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.sqrt(np.square(rms) + np.clip(light, 0, None) / exposure)


def read_images(
    path: Path,
    file_format: str,
    *,
    dataset: str = DEFAULT_DATASET,
    channel: int | None = None,
    pixel_scale_arcsec: float | None = None,
) -> tuple[np.ndarray, float | None]:
    """The images [n, h, w] of an NPY, NPZ or HDF5 file, and their pixel scale in arcsec; None if it is unknown.

    Args:
        file_format: as `file_formats.detect` gives it.
        dataset: the array in an NPZ or HDF5 file. `DEFAULT_DATASET` also stands for the only array of a file.
        channel: the band that is read, from 0, where images have several.
        pixel_scale_arcsec: overrides that of the file.

    Raises:
        ValueError: if there are no such images.
    """
    with ArrayFile(path, file_format) as file:
        stored = file.array(dataset)
        scale = pixel_scale_arcsec if pixel_scale_arcsec is not None else pixel_scale(path, stored.attributes)
        return StoredImages(stored, channel)[:], scale


def _npy(path: Path) -> np.ndarray:
    """The array of an NPY file, mapped from it."""
    with read_errors(path, "NPY"), path.open("rb") as file:
        shape, fortran, dtype = _header(file)
        offset = file.tell()
    _check_header(path, "", shape, dtype)
    with read_errors(path, "NPY"):
        if not math.prod(shape) or not shape:
            return np.load(path, allow_pickle=False)
        return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")


class _Member(NamedTuple):
    """An array of an NPZ file, by its header."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    bytes: int
    """Of the header and the array, unpacked."""


def _members(path: Path) -> dict[str, _Member]:
    """The arrays of an NPZ file."""
    members = {}
    with read_errors(path, "NPZ"), zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as member:
                members[entry.filename.removesuffix(".npy")] = _Member(*_header(member), entry.file_size)
    return members


def _npz(path: Path, dataset: str) -> StoredArray:
    """An array of an NPZ file; the single numbers in the file are its attributes."""
    members = _members(path)
    name = chosen(path, dataset, [name for name, member in members.items() if member.shape])
    shape, fortran, dtype, size = members[name]
    _check_header(path, name, shape, dtype)
    check_size(f"{path}#{name}", shape, dtype)
    if math.prod(shape) * dtype.itemsize > size:
        raise ValueError(f"{path}#{name} is damaged: its header promises more pixels than it has")
    numbers = [name for name, member in members.items() if not member.shape and not member.dtype.hasobject]
    with read_errors(path, "NPZ"), np.load(path, allow_pickle=False) as file:
        attributes = {number: file[number] for number in numbers}
        values = ArchivedArray(path, f"{name}.npy", shape, dtype, fortran) if math.prod(shape) else file[name]
    return StoredArray(f"{path}#{name}", values, attributes, tuple(numbers), format="NPZ")


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """The shape, whether the order is Fortran's, and the type in the header of an NPY file."""
    if np.lib.format.read_magic(file) == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _check_header(path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise a ValueError if an array holds Python objects. The message shows how to convert a file that is trusted.

    Args:
        name: of the array in an NPZ file; empty for an NPY file.
    """
    if not dtype.hasobject:
        return
    where, of_name = (f"{path}#{name}", f"[{name!r}]") if name else (str(path), "")
    images = "np.stack(a)" if len(shape) == 1 else 'a.astype("float32")'
    remedy = f'np.save("numbers.npy", {images})'
    if shape == (2,):
        remedy = f'np.save("image.npy", a[0]) if it is [image, mass], as axion files of DeepLenseSim are, else {remedy}'
    raise ValueError(
        f"{where} holds Python objects, a pickle, which can run code and is never read: save numbers. If you trust "
        f"the file: a = np.load({str(path)!r}, allow_pickle=True){of_name}; {remedy}"
    )
