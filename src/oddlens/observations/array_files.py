"""tmp"""

from pathlib import Path
from typing import Any

import numpy as np

from oddlens.observations.fits_units import MAX_SIDE_PIXELS, too_large
from oddlens.schema.config_errors import nearest

DEFAULT_DATASET = "images"


def _as_stack(path: Path, images: np.ndarray) -> np.ndarray:
    """Images of an NPY or HDF5 file as [n, h, w].

    Raises:
        ValueError: if they are no images, or too large.
    """
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]  # [n, 1, h, w] -> [n, h, w]
    images = images[None] if images.ndim == 2 else images
    if images.ndim != 3 or not _holds_numbers(images):
        raise ValueError(f"{path} has {images.dtype} of shape {images.shape}; images must be real numbers [n, h, w]")
    if max(images.shape[1:]) > MAX_SIDE_PIXELS:
        raise ValueError(too_large(max(images.shape[1:])))
    return images


def _holds_numbers(array: np.ndarray) -> bool:
    """Whether an array is not empty, and holds real numbers."""
    return bool(array.size) and np.issubdtype(array.dtype, np.number) and not np.iscomplexobj(array)


def _npy(path: Path) -> tuple[np.ndarray, None]:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False), None
    except (ValueError, EOFError, SyntaxError) as error:
        raise ValueError(f"{path} cannot be read as NPY ({error})") from error


def _hdf5(path: Path, dataset: str) -> tuple[np.ndarray, float | None]:
    """A data set of an HDF5 file, and the pixel scale in its attributes; the checksum is verified if there is one."""
    from oddlens.files.artefacts import read_arrays

    with path.open("rb") as file:
        has_checksum = file.read(7) == b"oddlens"
    arrays, about = read_arrays(path) if has_checksum else _foreign_hdf5(path, dataset)
    if dataset not in arrays:
        raise ValueError(f"{path} has no data set '{dataset}': choose one by --dataset. {nearest(dataset, arrays)}")
    scale = about.get("pixel_scale_arcsec")
    return arrays[dataset], None if scale is None else float(scale)


def _foreign_hdf5(path: Path, dataset: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All data sets of an HDF5 file by name, empty except `dataset`; attributes of the file and of `dataset`."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            names: list[str] = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            if dataset in names and max(file[dataset].shape[-2:], default=0) > MAX_SIDE_PIXELS:
                raise ValueError(too_large(max(file[dataset].shape[-2:])))
            arrays = {name: file[name][()] if name == dataset else np.empty(0) for name in names}
            return arrays, {**file.attrs, **(file[dataset].attrs if dataset in names else {})}
    except (OSError, RuntimeError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as HDF5 ({error})") from error


def read_images(path, dataset=DEFAULT_DATASET, channel=None):
    array, scale = _npy(path) if file_format(path) == "NPY" else _hdf5(path, dataset)
    return _as_stack(path, array), scale


def file_format(path):
    return _format(path)


def _format(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with path.open("rb") as file:
        first = file.read(16)
    file_format = next((name for magic, name in FORMATS.items() if first.startswith(magic)), None)
    if file_format is None:
        raise ValueError(f"{path} is not FITS, HDF5 or NPY: its first bytes are those of none of these formats")
    return file_format


FORMATS = {b"SIMPLE": "FITS", b"\x1f\x8b": "FITS", b"\x93NUMPY": "NPY", b"\x89HDF": "HDF5", b"oddlens sha256": "HDF5"}


def poisson_noise(path: Path, image: np.ndarray) -> np.ndarray | None:
    """The noise of an image in counts per second, sqrt(rms^2 + max(image, 0) / exposure).

    From the HDF5 data sets `background_rms` and `exposure_time` (s), each a number or an image, as files for
    lenstronomy have them; None if the file has no such data sets.
    """
    if file_format(path) != "HDF5":
        return None
    try:
        rms, exposure = (_hdf5(path, name)[0] for name in ("background_rms", "exposure_time"))
    except ValueError:
        return None
    if exposure.shape not in ((), image.shape) or rms.shape not in ((), image.shape):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(np.square(rms) + np.clip(image, 0, None) / exposure)


def only_image(path):
    return "images"
