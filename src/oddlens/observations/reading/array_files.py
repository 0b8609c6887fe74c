"""Images in NPY, NPZ and HDF5 files: which array is read, and its pixel scale. Row 0 of an image is its top.

An array of another name than `DEFAULT_DATASET` must be chosen, unless it is the only one of an NPZ file. Nothing is
unpickled. NPY files are mapped into memory, so they may be larger than it; other arrays may have `MAX_BYTES`.
"""

import math
import posixpath
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from oddlens.observations.reading.array_axes import as_stack
from oddlens.observations.reading.file_formats import MAX_BYTES, MAX_SIDE_PIXELS, too_large
from oddlens.observations.reading.wcs_scale import MAX_PIXEL_SCALE_ARCSEC
from oddlens.schema.config_errors import nearest

DEFAULT_DATASET = "images"
"""The array that is read from an NPZ or HDF5 file if none is chosen."""
TRANSFORM = "transform_pix2angle"
"""The matrix from pixels to arcsec beside the images in files for lenstronomy."""
SCALE_NAMES = ("pixel_scale_arcsec", "pixel_scale", "pixscale", "deltapix", TRANSFORM)
"""Names of attributes, in lower case, that hold the pixel scale in arcsec."""
MAX_NAMES = 10
"""Most names of arrays in a message."""


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
        dataset: the array in an NPZ or HDF5 file. Instead of `DEFAULT_DATASET`, the only array of an NPZ file will do.
        channel: the band that is read, from 0, where images have several.
        pixel_scale_arcsec: overrides that of the file.

    Raises:
        ValueError: if there are no such images.
    """
    array, attributes = read_array(path, file_format, dataset)
    scale = pixel_scale_arcsec if pixel_scale_arcsec is not None else _pixel_scale(path, attributes)
    return as_stack(str(path), array, channel), scale


def read_array(path: Path, file_format: str, dataset: str = DEFAULT_DATASET) -> tuple[np.ndarray, dict[str, Any]]:
    """An array of an NPY, NPZ or HDF5 file as it is, and its attributes.

    Raises:
        ValueError: if there is none of this name, or it is too large, holds Python objects or is damaged.
    """
    if file_format == "NPY":
        return _npy(path), {}
    return _npz(path, dataset) if file_format == "NPZ" else _hdf5(path, dataset)


@contextmanager
def _reading(path: Path, file_format: str) -> Iterator[None]:
    """Turn the errors of libraries into a ValueError of one line."""
    try:
        yield
    except Exception as error:  # NumPy, zipfile and h5py raise errors of many types for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} cannot be read as {file_format} ({reason})") from error


def _npy(path: Path) -> np.ndarray:
    """The array of an NPY file, mapped from it."""
    with _reading(path, "NPY"), path.open("rb") as file:
        header = _header(file)
    _check_header(str(path), f"np.load({str(path)!r}, allow_pickle=True)", *header)
    with _reading(path, "NPY"):
        return np.load(path, mmap_mode="r", allow_pickle=False)


def _npz(path: Path, dataset: str) -> tuple[np.ndarray, dict[str, Any]]:
    """An array of an NPZ file; the single numbers in the file are its attributes."""
    headers, sizes = {}, {}
    with _reading(path, "NPZ"), zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            with archive.open(entry) as member:
                headers[name], sizes[name] = _header(member), entry.file_size
    arrays = [name for name, (shape, _) in headers.items() if shape]
    only = len(arrays) == 1 and dataset == DEFAULT_DATASET
    name = arrays[0] if only else _chosen(path, dataset, arrays)  # numpy.savez gives names that nobody chose
    _check_header(f"{path}#{name}", f"np.load({str(path)!r}, allow_pickle=True)[{name!r}]", *headers[name])
    _check_size(f"{path}#{name}", *headers[name])
    if math.prod(headers[name][0]) * headers[name][1].itemsize > sizes[name]:
        raise ValueError(f"{path}#{name} is damaged: its header promises more pixels than it has")
    numbers = [name for name, (shape, dtype) in headers.items() if not shape and not dtype.hasobject]
    with _reading(path, "NPZ"), np.load(path, allow_pickle=False) as file:
        return file[name], {number: file[number] for number in numbers}


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    """The shape and type in the header of an NPY file."""
    if np.lib.format.read_magic(file) == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    return shape, dtype


def _check_header(where: str, loading: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise a ValueError if an array holds Python objects.

    Args:
        loading: the expression that would unpickle it.
    """
    if dtype.hasobject:
        images = "np.stack(a)" if len(shape) == 1 else 'a.astype("float32")'
        pair = " (a[0] alone, if a is [image, mass])" if shape == (2,) else ""
        raise ValueError(
            f"{where} holds Python objects, a pickle, which can run code and is never read: save numbers. If you trust "
            f'the file: a = {loading}; np.save("numbers.npy", {images}){pair}'
        )


def _check_size(where: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise a ValueError if an array is too large to be read."""
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_BYTES:
        raise ValueError(
            f"{where} has shape {shape}, {size / 2**30:.3g} GiB; at most {MAX_BYTES / 2**30:g} GiB are read: split it, "
            "or save it as NPY, which is read in parts"
        )


def _hdf5(path: Path, dataset: str) -> tuple[np.ndarray, dict[str, Any]]:
    """A data set of an HDF5 file, and the attributes that apply to it; a checksum is verified if there is one."""
    import h5py

    from oddlens.files.artefacts import read_arrays

    with path.open("rb") as first:
        has_checksum = first.read(7) == b"oddlens"
    if has_checksum:
        arrays, about = read_arrays(path)
        return arrays[_chosen(path, dataset, list(arrays))], about
    with _reading(path, "HDF5"):
        file = h5py.File(path, "r")
    with file:
        with _reading(path, "HDF5"):
            names: list[str] = [dataset] if isinstance(file.get(dataset), h5py.Dataset) else []
            if not names:
                file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        name = _chosen(path, dataset, names)
        with _reading(path, "HDF5"):
            item, attributes = file[name], _attributes(file, name)
        if item.shape is None:
            raise ValueError(f"{path}#{name} is empty")
        if max(item.shape[-2:], default=0) > MAX_SIDE_PIXELS and item.ndim > 1:
            raise ValueError(too_large(path, max(item.shape[-2:])))
        _check_size(f"{path}#{name}", item.shape, item.dtype)
        with _reading(path, "HDF5"):
            return np.asarray(item[()]), attributes


def _attributes(file: Any, name: str) -> dict[str, Any]:
    """The attributes of an HDF5 file, of the groups of a data set and of itself, and what is beside it."""
    attributes, path = dict(file.attrs), ""
    for part in name.split("/"):
        path = posixpath.join(path, part)
        attributes |= dict(file[path].attrs) if path else {}
    beside = posixpath.join(posixpath.dirname(name), TRANSFORM)
    if beside in file:
        attributes[TRANSFORM] = math.sqrt(abs(np.linalg.det(file[beside][()])))
    return attributes


def _chosen(path: Path, dataset: str, names: Sequence[str]) -> str:
    """The array that is read from a file.

    Raises:
        ValueError: if there is none of this name.
    """
    if dataset in names:
        return dataset
    more = len(names) - MAX_NAMES
    known = nearest(dataset, names) if more <= 0 else f"Known: {', '.join(names[:MAX_NAMES])} and {more} more."
    raise ValueError(
        f"{path} has no array '{dataset}': choose one by --dataset. {known}" if names else f"{path} holds no array"
    )


def _pixel_scale(path: Path, attributes: Mapping[str, Any]) -> float | None:
    """The pixel scale in the attributes of an array, arcsec; None if they have none.

    Raises:
        ValueError: if it is no pixel scale, or if there are several that disagree.
    """
    scales = {}
    for name, value in attributes.items():
        if name.lower() in SCALE_NAMES:
            try:
                first = np.ravel(value)[0]  # some files have [number, comment]
                scales[name] = float(first.decode() if isinstance(first, bytes) else first)
            except (TypeError, ValueError, IndexError):
                scales[name] = math.nan
    wrong = {name: attributes[name] for name, scale in scales.items() if not 0 < scale < MAX_PIXEL_SCALE_ARCSEC}
    if wrong or (scales and not math.isclose(min(scales.values()), max(scales.values()), rel_tol=0.01)):
        found = " ".join(str(wrong or scales).split())
        raise ValueError(f"{path}: its pixel scale is unclear, {found}: give it in arcsec by --pixel-scale")
    return next(iter(scales.values()), None)


def poisson_noise(path: Path, file_format: str, image: np.ndarray) -> np.ndarray | None:
    """The noise of an image in counts per second, sqrt(rms^2 + max(image, 0) / exposure).

    From the HDF5 data sets `background_rms` and `exposure_time` (s), each a number or an image, as files for
    lenstronomy have them; None if the file has no such data sets.
    """
    if file_format != "HDF5":
        return None
    try:
        rms, exposure = (read_array(path, file_format, name)[0] for name in ("background_rms", "exposure_time"))
    except ValueError:
        return None
    if exposure.shape not in ((), image.shape) or rms.shape not in ((), image.shape):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(np.square(rms) + np.clip(image, 0, None) / exposure)
