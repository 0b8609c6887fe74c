"""Images in files of any origin: FITS, HDF5 and NPY, one image a file or many, and what belongs to them.

What a file is, its first bytes say and not its name. NPY and HDF5 hold images [n, h, w] (or one, [h, w]) whose row 0 is
the top; FITS counts rows from the bottom, and is turned over.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from oddlens.observations import fits_files
from oddlens.observations.fits_files import LARGEST, Unit
from oddlens.observations.lens_index import file_of
from oddlens.schema.config_errors import nearest

KINDS = {b"SIMPLE": "FITS", b"\x1f\x8b": "FITS", b"\x93NUMPY": "NPY", b"\x89HDF": "HDF5", b"oddlens sha256": "HDF5"}
"""By the first bytes; a compressed file is taken for FITS, an HDF5 file of ours begins with its checksum."""
DATASET = "images"
"""Where the images of an HDF5 file are, unless somebody says otherwise."""
DATA = "data.fits"
"""The image of a folder."""
SIBLINGS = {"psf": "psf.fits", "noise": "noise_map.fits", "mask": "mask_extra_galaxies.fits"}
"""What may lie beside a FITS file."""
PSF_SUM = 0.1
"""A point-spread function that is cut off has a little less than all the light; one that is off by more is something
else, or in another unit."""
SAME_SCALE = 0.01
"""Pixel scales that agree within this part are the same."""
SCALE_STANDS = (
    "Give --pixel-scale in arcsec, or PIXSCALE (arcsec), CD1_1 or CDELT1 (degrees) in the header, or "
    '{"pixel_scale": ...} (arcsec) in info.json beside it'
)


@dataclass(frozen=True)
class Stack:
    """Images of one file that are alike."""

    labels: list[str]
    images: np.ndarray  # [n, h, w], numbers
    pixel_scale_arcsec: float | None  # None: nobody says
    beside: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What belongs to each, by the names of `SIBLINGS`, [h, w]."""


def read(
    path: Path,
    *,
    dataset: str = DATASET,
    pixel_scale_arcsec: float | None = None,
    others: Mapping[str, Path | None] | None = None,
) -> Iterator[Stack]:
    """The images of a file, or of data.fits in a folder.

    Args:
        dataset: where they are in an HDF5 file.
        pixel_scale_arcsec: goes before what the file says.
        others: FITS files of what belongs to each image, by the names of `SIBLINGS`; they go before what the file
            holds, and that before what lies beside it.

    Raises:
        FileNotFoundError, ValueError: if a file is missing or unfit.
    """
    if pixel_scale_arcsec is not None and not 0 < pixel_scale_arcsec < 10:
        raise ValueError(f"--pixel-scale is {pixel_scale_arcsec:g}: it must be above 0 and below 10 arcsec")
    path, others = path / DATA if path.is_dir() else path, others or {}
    kind = _kind(path)
    if kind == "FITS":
        units = fits_files.read(path)
        beside = _beside(path, units, others)
        seen = [unit for unit in units if unit.name not in fits_files.NO_IMAGES]
        if not seen:
            raise ValueError(f"{path} holds {', '.join(u.name for u in units)}, but no image that was observed")
        for k, unit in enumerate(seen):
            label = path.name if len(seen) == 1 else f"{path.name}[{unit.name or k}]"
            scale = _pixel_scale(path, unit.header, pixel_scale_arcsec)
            yield Stack(_labels(label, len(unit.images)), unit.images, scale, beside)
        return
    images, said = _npy(path) if kind == "NPY" else _hdf5(path, dataset)
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    images = images[None] if images.ndim == 2 else images
    if images.ndim != 3 or not images.size or not np.issubdtype(images.dtype, np.number) or np.iscomplexobj(images):
        raise ValueError(f"{path} holds {images.dtype} of shape {images.shape}; images are numbers [n, h, w]")
    if max(images.shape[1:]) > LARGEST:
        raise ValueError(_too_large(path, max(images.shape[1:])))
    yield Stack(_labels(path.name, len(images)), images, pixel_scale_arcsec or said, _beside(path, [], others))


def one(reference: str | Path) -> np.ndarray:
    """The one image of `path`, or of `path#NAME`: an extension of a FITS file, a data set of an HDF5 file; [h, w].

    Raises:
        FileNotFoundError, ValueError: if there is none, or several and no name.
    """
    path, name = file_of(str(reference)), str(reference).rpartition("#")[2]
    name = "" if str(path) == str(reference) else name
    kind = _kind(path)
    if kind == "FITS":
        units = [unit for unit in fits_files.read(path) if not name or unit.name == name.upper()]
        seen = units if name else [unit for unit in units if unit.name not in fits_files.NO_IMAGES] or units
        found = [image for unit in seen for image in unit.images]
        if not found:
            raise ValueError(f"{path} has no image '{name}'. {nearest(name, [u.name for u in fits_files.read(path)])}")
        if len(found) > 1:
            names = ", ".join(f"{u.name or 'PRIMARY'} ({len(u.images)})" for u in seen)
            raise ValueError(f"{path} holds {len(found)} images, {names}: say which by path#NAME, one image a name")
        return found[0]
    array = (_npy(path) if kind == "NPY" else _hdf5(path, name or DATASET))[0]
    array = array[0] if array.ndim == 3 and len(array) == 1 else array
    if array.ndim != 2 or not array.size or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise ValueError(f"{reference} holds {array.dtype} of shape {array.shape}; one image is numbers [h, w]")
    return array


def counted_noise(reference: str | Path, image: np.ndarray) -> np.ndarray | None:
    """The noise of an image of counts per second, if its HDF5 file says `background_rms` and `exposure_time` (s; of all
    or of each pixel), as files for lenstronomy do; else None."""
    path = file_of(str(reference))
    if _kind(path) != "HDF5":
        return None
    try:
        rms, exposure = (_hdf5(path, name)[0] for name in ("background_rms", "exposure_time"))
    except ValueError:
        return None
    if exposure.shape not in ((), image.shape) or rms.shape not in ((), image.shape):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(np.square(rms) + np.clip(image, 0, None) / exposure)


def _kind(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with path.open("rb") as file:
        first = file.read(16)
    kind = next((kind for magic, kind in KINDS.items() if first.startswith(magic)), None)
    if kind is None:
        raise ValueError(f"{path} is neither FITS, HDF5 nor NPY: it begins with other bytes")
    return kind


def _too_large(path: Path, side: int) -> str:
    return f"{path} has images of {side} pixels on a side; {LARGEST} are the most: cut the lens out"


def _labels(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}[{k}]" for k in range(count)]


def _npy(path: Path) -> tuple[np.ndarray, None]:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False), None
    except (ValueError, EOFError, SyntaxError) as error:
        raise ValueError(f"{path} cannot be read as NPY ({error})") from error


def _hdf5(path: Path, dataset: str) -> tuple[np.ndarray, float | None]:
    """A data set of an HDF5 file, and the pixel scale that it says; one of ours is held against its checksum first."""
    import h5py

    from oddlens.files.artefacts import read_arrays

    with path.open("rb") as file:
        ours = file.read(7) == b"oddlens"
    if ours:
        arrays, about = read_arrays(path)
    else:
        arrays = {}
        try:
            with h5py.File(path, "r") as opened:
                names: list[str] = []
                opened.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
                if dataset in names and max(opened[dataset].shape[-2:], default=0) > LARGEST:
                    raise ValueError(_too_large(path, max(opened[dataset].shape[-2:])))
                arrays = {name: opened[name][()] if name == dataset else np.empty(0) for name in names}
                about = {**opened.attrs, **(opened[dataset].attrs if dataset in names else {})}
        except (OSError, RuntimeError, TypeError) as error:
            raise ValueError(f"{path} cannot be read as HDF5 ({error})") from error
    if dataset not in arrays:
        raise ValueError(f"{path} has no data set '{dataset}': name one by --dataset. {nearest(dataset, arrays)}")
    scale = about.get("pixel_scale_arcsec")
    return arrays[dataset], None if scale is None else float(scale)


def _beside(path: Path, units: Sequence[Unit], others: Mapping[str, Path | None]) -> dict[str, np.ndarray]:
    """What belongs to the images of a file, of which the point-spread function is brought to the sum 1."""
    found: dict[str, np.ndarray] = {}
    for kind, file in SIBLINGS.items():
        own = [unit.images[0] for unit in units if fits_files.COMPANIONS.get(unit.name) == kind]
        sibling = others.get(kind) or path.with_name(file)
        if own and not others.get(kind):
            found[kind] = own[0]
        elif others.get(kind) or (units and sibling.is_file()):
            found[kind] = fits_files.read(sibling)[0].images[0]
    if "psf" in found:
        found["psf"] = unit_psf(path, found["psf"])
    return found


def unit_psf(path: Path | str, psf: np.ndarray) -> np.ndarray:
    """A point-spread function brought to the sum 1; a ValueError if it is far from that."""
    psf = np.asarray(psf, float)
    if not np.isfinite(psf).all() or abs(psf.sum() - 1) > PSF_SUM:
        raise ValueError(f"{path}: its PSF sums to {psf.sum():.3g} and not to 1: divide it by its sum, if it is a PSF")
    return psf / psf.sum()


def _pixel_scale(path: Path, header: Mapping[str, Any], given: float | None) -> float | None:
    """Arcsec per pixel: as given, or else as header and info.json say, who must agree; None if nobody says."""
    if given is not None:
        return given
    info = path.with_name("info.json")
    try:
        step = (header["CD1_1"], header.get("CD2_1", 0)) if "CD1_1" in header else (header.get("CDELT1", 0), 0)
        said = {
            "header": float(header.get("PIXSCALE", 3600 * math.hypot(*step))),
            "info.json": float(json.loads(info.read_text()).get("pixel_scale", 0)) if info.is_file() else 0.0,
        }
    except (TypeError, ValueError, AttributeError, fits.VerifyError) as error:
        raise ValueError(f"{path}: the pixel scale is no number ({error}): say it with --pixel-scale") from error
    said = {where: scale for where, scale in said.items() if 0 < scale < 10}
    if said and max(said.values()) > (1 + SAME_SCALE) * min(said.values()):
        raise ValueError(f"{path}: the pixel scales disagree, {said} arcsec: say which with --pixel-scale")
    return next(iter(said.values()), None)
