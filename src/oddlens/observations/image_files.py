"""Images in FITS, HDF5 and NPY files of any origin, with the PSF, noise map and mask that belong to them.

The first bytes of a file determine its format, not its name. NPY and HDF5 files hold images [n, h, w], or one image
[h, w], with row 0 at the top. FITS counts rows from the bottom, so its images are flipped.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from oddlens.observations import fits_files
from oddlens.observations.fits_files import COMPANION_EXTENSIONS, MAX_SIDE_PIXELS, NON_SCIENCE_EXTENSIONS, FitsImages
from oddlens.observations.lens_index import MAX_PIXEL_SCALE_ARCSEC, file_of
from oddlens.observations.pixel_scale import SCALE_HELP as SCALE_HELP
from oddlens.observations.pixel_scale import SCALE_TOLERANCE as SCALE_TOLERANCE
from oddlens.observations.pixel_scale import pixel_scale
from oddlens.schema.config_errors import nearest

FORMATS = {b"SIMPLE": "FITS", b"\x1f\x8b": "FITS", b"\x93NUMPY": "NPY", b"\x89HDF": "HDF5", b"oddlens sha256": "HDF5"}
"""Formats by the first bytes. A gzip file is taken for FITS. An HDF5 file of oddlens begins with its checksum."""
DEFAULT_DATASET = "images"
"""The HDF5 data set of the images."""
DATA_FILE = "data.fits"
"""The image of a folder."""
COMPANION_FILES = {"psf": "psf.fits", "noise": "noise_map.fits", "mask": "mask_extra_galaxies.fits"}
"""Files in the same folder that belong to the images of a FITS file, by kind."""
PSF_SUM_TOLERANCE = 0.1
"""A truncated PSF sums to a little less than 1. One that deviates by more is no PSF, or has other units."""


@dataclass(frozen=True)
class ImageStack:
    """Images of one file with equal shape, pixel scale and companions."""

    labels: list[str]
    images: np.ndarray  # [n, h, w], numbers
    pixel_scale_arcsec: float | None
    """None if it is unknown."""
    companions: Mapping[str, np.ndarray] = field(default_factory=dict)
    """The arrays that belong to each image, [h, w], by the kinds of `COMPANION_FILES`."""


def read(
    path: Path,
    *,
    dataset: str = DEFAULT_DATASET,
    pixel_scale_arcsec: float | None = None,
    companions: Mapping[str, Path | None] | None = None,
) -> Iterator[ImageStack]:
    """The images of a file, or of data.fits in a folder.

    Args:
        dataset: of the images, in an HDF5 file.
        pixel_scale_arcsec: overrides the pixel scale in the file.
        companions: FITS files by the kinds of `COMPANION_FILES`. They override extensions of the file, which override
            files in the same folder.

    Raises:
        FileNotFoundError, ValueError: if a file is missing or unsuitable.
    """
    if pixel_scale_arcsec is not None and not 0 < pixel_scale_arcsec < MAX_PIXEL_SCALE_ARCSEC:
        raise ValueError(
            f"--pixel-scale is {pixel_scale_arcsec:g}: it must be above 0 and below {MAX_PIXEL_SCALE_ARCSEC} arcsec"
        )
    path, companions = path / DATA_FILE if path.is_dir() else path, companions or {}
    file_format = _format(path)
    if file_format == "FITS":
        yield from _read_fits(path, pixel_scale_arcsec, companions)
    else:
        images, scale = _npy(path) if file_format == "NPY" else _hdf5(path, dataset)
        images = _as_stack(path, images)
        labels = _labels(path.name, len(images))
        yield ImageStack(labels, images, pixel_scale_arcsec or scale, _companions(path, [], companions))


def _read_fits(
    path: Path, pixel_scale_arcsec: float | None, companions: Mapping[str, Path | None]
) -> Iterator[ImageStack]:
    """A stack for each HDU that holds observed images."""
    hdus = fits_files.read(path)
    arrays = _companions(path, hdus, companions)
    observed = [hdu for hdu in hdus if hdu.name not in NON_SCIENCE_EXTENSIONS]
    if not observed:
        raise ValueError(f"{path} has no observed image, only {', '.join(hdu.name for hdu in hdus)}")
    for k, hdu in enumerate(observed):
        label = path.name if len(observed) == 1 else f"{path.name}[{hdu.name or k}]"
        scale = pixel_scale(path, hdu.header, pixel_scale_arcsec)
        yield ImageStack(_labels(label, len(hdu.images)), hdu.images, scale, arrays)


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
        raise ValueError(fits_files.too_large(path, max(images.shape[1:])))
    return images


def _holds_numbers(array: np.ndarray) -> bool:
    """Whether an array is not empty, and holds real numbers."""
    return bool(array.size) and np.issubdtype(array.dtype, np.number) and not np.iscomplexobj(array)


def read_one(reference: str | Path) -> np.ndarray:
    """The one image [h, w] of `path`, or of `path#NAME`: an extension of a FITS file or a data set of an HDF5 file.

    Raises:
        FileNotFoundError, ValueError: if there is none, or if there are several and no name.
    """
    path, name = file_of(str(reference)), str(reference).rpartition("#")[2]
    name = "" if str(path) == str(reference) else name
    file_format = _format(path)
    if file_format == "FITS":
        return _one_of_fits(path, name)
    array = (_npy(path) if file_format == "NPY" else _hdf5(path, name or DEFAULT_DATASET))[0]
    array = array[0] if array.ndim == 3 and len(array) == 1 else array
    if array.ndim != 2 or not _holds_numbers(array):
        raise ValueError(f"{reference} has {array.dtype} of shape {array.shape}; an image must be real numbers [h, w]")
    return array


def _one_of_fits(path: Path, name: str) -> np.ndarray:
    """The one image of a FITS file, or of its extension `name` if that is not empty."""
    all_hdus = fits_files.read(path)
    hdus = [hdu for hdu in all_hdus if not name or hdu.name == name.upper()]
    chosen = hdus if name else [hdu for hdu in hdus if hdu.name not in NON_SCIENCE_EXTENSIONS] or hdus
    images = [image for hdu in chosen for image in hdu.images]
    if not images:
        raise ValueError(f"{path} has no image '{name}'. {nearest(name, [hdu.name for hdu in all_hdus])}")
    if len(images) > 1:
        names = ", ".join(f"{hdu.name or 'PRIMARY'} ({len(hdu.images)})" for hdu in chosen)
        raise ValueError(f"{path} has {len(images)} images, one is expected: {names}. Choose one by path#NAME")
    return images[0]


def poisson_noise(reference: str | Path, image: np.ndarray) -> np.ndarray | None:
    """The noise of an image in counts per second, sqrt(rms^2 + max(image, 0) / exposure).

    From the HDF5 data sets `background_rms` and `exposure_time` (s), each a number or an image, as files for
    lenstronomy have them; None if the file has no such data sets.
    """
    path = file_of(str(reference))
    if _format(path) != "HDF5":
        return None
    try:
        rms, exposure = (_hdf5(path, name)[0] for name in ("background_rms", "exposure_time"))
    except ValueError:
        return None
    if exposure.shape not in ((), image.shape) or rms.shape not in ((), image.shape):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(np.square(rms) + np.clip(image, 0, None) / exposure)


def unit_psf(path: Path | str, psf: np.ndarray) -> np.ndarray:
    """A PSF normalised to the sum 1.

    Raises:
        ValueError: if its sum differs from 1 by more than `PSF_SUM_TOLERANCE`.
    """
    psf = np.asarray(psf, float)
    if not np.isfinite(psf).all() or abs(psf.sum() - 1) > PSF_SUM_TOLERANCE:
        raise ValueError(
            f"{path}: the PSF sums to {psf.sum():.3g}, but its sum must be 1 within {PSF_SUM_TOLERANCE:g}: divide it "
            "by its sum, if it is a PSF"
        )
    return psf / psf.sum()


# --- formats ---------------------------------------------------------------------------------------------------------


def _format(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with path.open("rb") as file:
        first = file.read(16)
    file_format = next((name for magic, name in FORMATS.items() if first.startswith(magic)), None)
    if file_format is None:
        raise ValueError(f"{path} is not FITS, HDF5 or NPY: its first bytes are those of none of these formats")
    return file_format


def _labels(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}[{k}]" for k in range(count)]


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
                raise ValueError(fits_files.too_large(path, max(file[dataset].shape[-2:])))
            arrays = {name: file[name][()] if name == dataset else np.empty(0) for name in names}
            return arrays, {**file.attrs, **(file[dataset].attrs if dataset in names else {})}
    except (OSError, RuntimeError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as HDF5 ({error})") from error


# --- companions ------------------------------------------------------------------------------------------------------


def _companions(path: Path, hdus: Sequence[FitsImages], files: Mapping[str, Path | None]) -> dict[str, np.ndarray]:
    """The arrays that belong to the images of a file, by kind; the PSF is normalised."""
    arrays: dict[str, np.ndarray] = {}
    for kind, name in COMPANION_FILES.items():
        own = [hdu.images[0] for hdu in hdus if COMPANION_EXTENSIONS.get(hdu.name) == kind]
        file = files.get(kind) or path.with_name(name)
        if own and not files.get(kind):
            arrays[kind] = own[0]
        elif files.get(kind) or (hdus and file.is_file()):
            arrays[kind] = fits_files.read(file)[0].images[0]
    if "psf" in arrays:
        arrays["psf"] = unit_psf(path, arrays["psf"])
    return arrays
