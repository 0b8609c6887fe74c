"""Arrays in HDF5 files: their names, what their attributes and groups say of them, and which way up they are.

Files for lenstronomy have row 0 at the bottom. They are known by the matrix or the origin of the coordinates beside the
images (`transform_pix2angle`, `ra_at_xy_0`), and PSFs by their name `kernel_point_source`.
"""

import math
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
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
        self._last: _Group | None = None
        self._around: dict[str, dict[str, Any]] = {}
        with path.open("rb") as first:
            has_checksum = first.read(7) == b"oddlens"
        if has_checksum:
            self._arrays, self._about = read_arrays(path)
            return
        with read_errors(path, "HDF5"):
            self.file = h5py.File(path, "r")

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

    def names(self, group: str = "") -> list[str]:
        """The names of all arrays, or of those in a group, with those of their groups; no array is opened.

        Empty if the group is none.
        """
        if self.file is None:
            return list(self._arrays)
        names: list[str] = []

        def collect(name: bytes, about: Any) -> None:
            if about.type == h5py.h5o.TYPE_DATASET:
                names.append(posixpath.join(group, name.decode("utf-8", "surrogateescape")))

        with read_errors(self.path, "HDF5"):
            start = self.file.get(group or "/")
            if isinstance(start, h5py.Group):
                h5py.h5o.visit(start.id, collect, info=True)
        return names

    def shape(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """The shape, empty for a single number, and the type of an array."""
        with read_errors(self.path, "HDF5"):
            array = self._arrays[name] if self.file is None else self.file[name]
            return array.shape or (), array.dtype

    def array(self, dataset: str) -> StoredArray:
        """An array by its name (`chosen`).

        Raises:
            ValueError: if there is none, or if it is empty or damaged.
        """
        if self.file is None:
            name = chosen(self.path, dataset, self.names())
            return StoredArray(f"{self.path}#{name}", self._arrays[name], self._about, tuple(self._about))
        with read_errors(self.path, "HDF5"):
            item, name = self.file.get(dataset), dataset
        if not isinstance(item, h5py.Dataset):
            name = chosen(self.path, dataset, self.names())
        with read_errors(self.path, "HDF5"):
            item = item if name == dataset else self.file[name]
            group = self._group(self.file, posixpath.dirname(name.strip("/")))
            own = list(item.attrs)
            attributes = {**group.attributes, **_known(item.attrs, own)}
            shape = item.shape
        if shape is None:
            raise ValueError(f"{self.path}#{name} is empty")
        if len(shape) > 1 and max(shape[-2:]) > MAX_SIDE_PIXELS:
            raise ValueError(too_large(self.path, max(shape[-2:])))
        bottom_first = posixpath.basename(name) == LENSTRONOMY_PSF or not group.names.isdisjoint(LENSTRONOMY)
        return StoredArray(f"{self.path}#{name}", item, attributes, tuple(own), bottom_first, name)

    def beside(self, dataset: str, name: str) -> np.ndarray | None:
        """The array of another name in the group of a data set; None if there is none that is a number or an image."""
        if self.file is None:
            return None
        with read_errors(self.path, "HDF5"):
            folder = posixpath.dirname(dataset.strip("/"))
            if name not in self._group(self.file, folder).names:
                return None
            item = self.file[posixpath.join(folder, name)]
            usable = isinstance(item, h5py.Dataset) and item.shape is not None and len(item.shape) in (0, 2)
            return np.asarray(item[()]) if usable else None

    def _group(self, file: h5py.File, name: str) -> "_Group":
        """A group; the last one is remembered, as many arrays may be in it."""
        if self._last is None or self._last.name != name:
            group = file[name or "/"]
            attributes = {**self._attributes_around(file, name), **(_known(group.attrs) if name else {})}
            names = frozenset(group)
            if TRANSFORM in names:
                attributes[TRANSFORM] = math.sqrt(abs(np.linalg.det(group[TRANSFORM][()])))
            self._last = _Group(name, attributes, names)
        return self._last

    def _attributes_around(self, file: h5py.File, name: str) -> dict[str, Any]:
        """The attributes of the file and of the groups around a group, which most groups share."""
        around = posixpath.dirname(name)
        if around not in self._around:
            attributes, path = _known(file.attrs), ""
            for part in around.split("/") if around else ():
                path = posixpath.join(path, part)
                attributes |= _known(file[path].attrs)
            self._around = {around: attributes}
        return self._around[around]


@dataclass(frozen=True)
class _Group:
    """A group, with the attributes of those around it."""

    name: str
    attributes: dict[str, Any]
    names: frozenset[str]
    """Of what is in it."""


def _known(attributes: h5py.AttributeManager, names: Iterable[str] | None = None) -> dict[str, Any]:
    """The attributes that may state a pixel scale or a class: reading all would take most of the time."""
    listed = attributes if names is None else names
    return {name: attributes[name] for name in listed if name.lower() in (*SCALE_NAMES, *LABEL_NAMES)}
