"""Arrays in HDF5 files: their names, what their attributes and groups say of them, and which way up they are.

Files for lenstronomy have row 0 at the bottom. They are known by the matrix or the origin of the coordinates beside the
images (`transform_pix2angle`, `ra_at_xy_0`), and PSFs by their name `kernel_point_source`.
"""

import math
import posixpath
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from oddlens.files.artefacts import read_arrays
from oddlens.observations.reading.array_scale import SCALE_NAMES, TRANSFORM
from oddlens.observations.reading.file_formats import MAX_SIDE_PIXELS, too_large
from oddlens.observations.reading.stored_arrays import StoredArray, chosen, read_errors

LENSTRONOMY = (TRANSFORM, "ra_at_xy_0", "dec_at_xy_0")
"""Data sets beside the images of lenstronomy."""
SUBSTRUCTURE, DEFLECTOR_ONLY = "substructure", "deflector_only"
"""Attributes of the Roman Data Challenge, "True" or "False"."""
LABEL_NAMES = (SUBSTRUCTURE, DEFLECTOR_ONLY, "label", "class")
"""Attributes that say of which class an image is."""
LENSTRONOMY_PSF = "kernel_point_source"


class Hdf5File:
    """An open HDF5 file. The checksum of a file of oddlens is verified, and its arrays are then in memory."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            DamagedFile, ValueError: if it is damaged.
        """
        self.path = path
        self._arrays: dict[str, np.ndarray] = {}
        self._about: dict[str, Any] = {}
        self.file: h5py.File | None = None
        self._group: tuple[str, dict[str, Any], bool] = ("", {}, False)  # the last one, as many arrays may share it
        with path.open("rb") as first:
            has_checksum = first.read(7) == b"oddlens"
        if has_checksum:
            self._arrays, self._about = read_arrays(path)
            return
        with read_errors(path, "HDF5"):
            self.file = h5py.File(path, "r")
            self._group = (".", {}, False)

    def close(self) -> None:
        """Close it; arrays that were read stay."""
        if self.file is not None:
            self.file.close()

    def __enter__(self) -> Self:
        """The file itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def contents(self) -> list[tuple[str, tuple[int, ...], np.dtype]]:
        """The name with its groups, the shape and the type of each array."""
        if self.file is None:
            return [(name, array.shape, array.dtype) for name, array in self._arrays.items()]
        found: list[tuple[str, tuple[int, ...], np.dtype]] = []

        def collect(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                found.append((name, item.shape or (), item.dtype))

        with read_errors(self.path, "HDF5"):
            self.file.visititems(collect)
        return found

    def names(self) -> list[str]:
        """The names of all arrays."""
        return [name for name, _, _ in self.contents()]

    def image_names(self, group: str, least: int) -> list[str]:
        """The names of the arrays of numbers in a group (empty: anywhere), two axes not below `least`.

        Empty if the group is none.
        """
        names: list[str] = []

        def collect(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and _may_be_images(item.shape, item.dtype, least):
                names.append(posixpath.join(group, name))

        if self.file is None:
            return [name for name, array in self._arrays.items() if _may_be_images(array.shape, array.dtype, least)]
        with read_errors(self.path, "HDF5"):
            start = self.file.get(group or "/")
            if isinstance(start, h5py.Group):
                start.visititems(collect)
        return names

    def array(self, dataset: str) -> StoredArray:
        """An array by its name (`chosen`).

        Raises:
            ValueError: if there is none, or if it is empty or damaged.
        """
        if self.file is None:
            name = chosen(self.path, dataset, self.names())
            return StoredArray(f"{self.path}#{name}", self._arrays[name], self._about, tuple(self._about))
        with read_errors(self.path, "HDF5"):
            found = isinstance(self.file.get(dataset), h5py.Dataset)
        name = dataset if found else chosen(self.path, dataset, self.names())
        with read_errors(self.path, "HDF5"):
            item = self.file[name]
            of_group, bottom_first = self._of_group(posixpath.dirname(name.strip("/")))
            attributes = {**of_group, **_known(item.attrs)}
            names = tuple(item.attrs)
            empty = item.shape is None
        if empty:
            raise ValueError(f"{self.path}#{name} is empty")
        if len(item.shape) > 1 and max(item.shape[-2:]) > MAX_SIDE_PIXELS:
            raise ValueError(too_large(self.path, max(item.shape[-2:])))
        bottom_first = bottom_first or posixpath.basename(name) == LENSTRONOMY_PSF
        return StoredArray(f"{self.path}#{name}", item, attributes, names, bottom_first, name)

    def beside(self, dataset: str, name: str) -> np.ndarray | None:
        """The array of another name in the group of a data set; None if there is none that is a number or an image."""
        if self.file is None:
            return None
        with read_errors(self.path, "HDF5"):
            item = self.file.get(posixpath.join(posixpath.dirname(dataset), name))
            usable = isinstance(item, h5py.Dataset) and item.shape is not None and len(item.shape) in (0, 2)
            return np.asarray(item[()]) if usable else None

    def _of_group(self, name: str) -> tuple[dict[str, Any], bool]:
        """What a group and those around it state of the pixel scale, and whether lenstronomy wrote it."""
        if self._group[0] != name:
            assert self.file is not None
            group, attributes, path = self.file[name or "/"], _known(self.file.attrs), ""
            for part in name.split("/") if name else ():
                path = posixpath.join(path, part)
                attributes |= _known(self.file[path].attrs)
            if TRANSFORM in group:
                attributes[TRANSFORM] = math.sqrt(abs(np.linalg.det(group[TRANSFORM][()])))
            self._group = (name, attributes, any(beside in group for beside in LENSTRONOMY))
        return self._group[1], self._group[2]


def _may_be_images(shape: tuple[int, ...] | None, dtype: np.dtype, least: int) -> bool:
    """Whether an array has numbers and two long axes; bands may be the last."""
    return shape is not None and dtype.kind in "iuf" and sum(side >= least for side in shape) > 1


def _known(attributes: h5py.AttributeManager) -> dict[str, Any]:
    """The attributes that may state a pixel scale or a class: reading all would take most of the time."""
    return {name: attributes[name] for name in attributes if name.lower() in (*SCALE_NAMES, *LABEL_NAMES)}
