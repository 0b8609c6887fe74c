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
TEXT = h5py.h5t.py_create(h5py.string_dtype())
"""HDF5's type of texts in memory."""


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
            item, name = self._open(self.file, dataset), dataset
        if item is None:
            name = chosen(self.path, dataset, self.names())
        with read_errors(self.path, "HDF5"):
            item = self.file[name] if item is None else item
            group = self._group(self.file, posixpath.dirname(name.strip("/")))
            own = _names(item)
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
            item = self._open(self.file, posixpath.join(folder, name))
            return None if item is None or item.shape is None or len(item.shape) not in (0, 2) else np.asarray(item[()])

    def _open(self, file: h5py.File, name: str) -> h5py.Dataset | None:
        """A data set, found in its group, which is faster than h5py's look-up; None if there is none of this name."""
        folder, own = posixpath.split(name.strip("/"))
        group = self._group(file, folder)
        if own not in group.names:
            return None
        item = h5py.h5o.open(group.id, own.encode("utf-8", "surrogateescape"))
        return h5py.Dataset(item, readonly=True) if isinstance(item, h5py.h5d.DatasetID) else None

    def _group(self, file: h5py.File, name: str) -> "_Group":
        """A group, empty if there is none of this name; the last one is remembered, as many arrays may be in it."""
        if self._last is None or self._last.name != name:
            group = file.get(name or "/")
            if not isinstance(group, h5py.Group):
                return _Group(name, {}, frozenset(), file.id)
            attributes = {**self._attributes_around(file, name), **(_known(group.attrs, _names(group)) if name else {})}
            names = frozenset(group)
            if TRANSFORM in names:
                attributes[TRANSFORM] = math.sqrt(abs(np.linalg.det(group[TRANSFORM][()])))
            self._last = _Group(name, attributes, names, group.id)
        return self._last

    def _attributes_around(self, file: h5py.File, name: str) -> dict[str, Any]:
        """The attributes of the file and of the groups around a group, which most groups share."""
        around = posixpath.dirname(name)
        if around not in self._around:
            attributes, path = _known(file.attrs, _names(file)), ""
            for part in around.split("/") if around else ():
                path = posixpath.join(path, part)
                attributes |= _known(file[path].attrs, _names(file[path]))
            self._around = {around: attributes}
        return self._around[around]


@dataclass(frozen=True)
class _Group:
    """A group, with the attributes of those around it."""

    name: str
    attributes: dict[str, Any]
    names: frozenset[str]
    """Of what is in it."""
    id: h5py.h5g.GroupID


def _names(item: h5py.Group | h5py.Dataset) -> list[str]:
    """The names of its attributes."""
    order = item.id.get_create_plist().get_attr_creation_order() & h5py.h5p.CRT_ORDER_TRACKED
    names: list[bytes] = []
    h5py.h5a.iterate(item.id, names.append, index_type=h5py.h5.INDEX_CRT_ORDER if order else h5py.h5.INDEX_NAME)
    return [name.decode("utf-8", "surrogateescape") for name in names]


def _known(attributes: h5py.AttributeManager, names: Iterable[str]) -> dict[str, Any]:
    """The attributes that may state a pixel scale or a class: reading all would take most of the time."""
    return {name: _value(attributes, name) for name in names if name.lower() in (*SCALE_NAMES, *LABEL_NAMES)}


def _value(attributes: h5py.AttributeManager, name: str) -> Any:
    """An attribute. Texts, which are most, are read as bytes in a third of the time that h5py takes."""
    found = attributes.get_id(name)
    kind = found.get_type()
    if not (isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str() and found.shape is not None):
        return attributes[name]
    texts = np.empty(found.shape, object)
    found.read(texts, mtype=TEXT)
    return texts
