"""Reading and checking one array that belongs to an image: a PSF, a noise map or a mask."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from oddlens.lensing.grids import SCALE_TOLERANCE
from oddlens.lensing.psf_files import stated_scale, unit_psf
from oddlens.observations.reading import array_files, file_formats, fits_units
from oddlens.observations.reading.array_axes import as_image, as_stack
from oddlens.observations.reading.fits_units import FitsUnit
from oddlens.observations.reading.mask_planes import unusable
from oddlens.observations.reading.references import Reference
from oddlens.observations.reading.unit_roles import (
    INVERSE_VARIANCE,
    MASK,
    NOISE,
    PSF,
    SCIENCE,
    UNKNOWN,
    VARIANCE,
    WEIGHT,
    role_of,
)

ROLES = {PSF: (PSF,), NOISE: (NOISE, VARIANCE, INVERSE_VARIANCE), MASK: (MASK, WEIGHT)}
"""The roles of units from which each kind of companion is read, in order of preference."""
ARRAY_NAMES = {PSF: ("kernel_point_source", "psf"), NOISE: ("noise_map", "noise"), MASK: ("mask",)}
"""Usual names of arrays in NPZ and HDF5 files; the first is lenstronomy's."""


def from_file(kind: str, reference: Reference, scale_arcsec: float | None) -> tuple[np.ndarray, str]:
    """The companion in a file, and where it is: the name of the file, and of the unit if there are several.

    Args:
        kind: `PSF`, `NOISE` or `MASK`.
        scale_arcsec: of the image, which a PSF must have too.

    Raises:
        FileNotFoundError, ValueError: if there is none, or several, or if it is unsuitable.
    """
    path, by_name = reference.path, role_of(_stem(reference.path)).kind
    role = by_name if by_name in ROLES[kind] else ROLES[kind][0]
    file_format = file_formats.detect(path)
    if file_format != "FITS":
        images = _of_index(reference, _array(kind, reference, file_format))
        return _plain(checked(kind, role, images, {}, str(reference))), str(reference)
    units = fits_units.read(path)
    candidates = [fits_units.named(units, reference)] if reference.unit else _candidates(kind, units)
    unit = _chosen(kind, path, candidates, scale_arcsec)
    source = f"{path}#{unit.label}" if len(units) > 1 else str(path)
    if unit.images is not None and reference.index is not None:
        unit, source = replace(unit, images=_of_index(reference, np.asarray(unit.images))), str(reference)
    return from_unit(kind, unit, path, role), source


def _of_index(reference: Reference, images: np.ndarray) -> np.ndarray:
    """The images [n, h, w] with the indices of a reference, or all."""
    indices = reference.indices
    if indices is not None and indices[-1] >= len(images):
        raise ValueError(f"{reference}: there are {len(images)} images, with the indices 0 to {len(images) - 1}")
    return images if indices is None else images[indices.start : indices.stop]


def _array(kind: str, reference: Reference, file_format: str) -> np.ndarray:
    """The companion in an NPY, NPZ or HDF5 file, [n, h, w]: the array of that name, or with a usual name."""
    names = [reference.unit] if reference.unit else [*ARRAY_NAMES[kind], array_files.DEFAULT_DATASET]
    with array_files.ArrayFile(reference.path, file_format) as file:
        for name in names:
            try:
                stored = file.array(name)
                array = stored.read()
                break
            except ValueError:
                if name == names[-1]:
                    raise
    where = str(reference)
    images = as_stack(where, array) if np.squeeze(array).ndim > 2 else as_image(where, array)[None]
    return images[:, ::-1] if stored.bottom_first else images


def _stem(path: Path) -> str:
    return path.name.partition(".")[0]


def _candidates(kind: str, units: Sequence[FitsUnit]) -> list[FitsUnit]:
    """The units that may be of a kind in a file of its own: those with such a name, or those that are images."""
    by_role = ([unit for unit in units if unit.role.kind == role] for role in (*ROLES[kind], SCIENCE, UNKNOWN))
    return next((found for found in by_role if found), [])


def _chosen(kind: str, path: Path, found: Sequence[FitsUnit], scale_arcsec: float | None) -> FitsUnit:
    if kind == PSF and found:
        return of_scale(path, found, scale_arcsec)
    if len(found) != 1:
        names = ", ".join(unit.label for unit in found)
        raise ValueError(
            f"{path} has {len(found)} units that may be the {kind} ({names}): choose one by {path.name}#NAME"
        )
    return found[0]


def of_scale(path: Path, psfs: Sequence[FitsUnit], scale_arcsec: float | None) -> FitsUnit:
    """The first PSF that has the pixels of the image.

    Raises:
        ValueError: if all are known to have other pixels.
    """
    scales = [stated_scale(unit.header, scale_arcsec) for unit in psfs]
    for unit, scale in zip(psfs, scales, strict=True):
        if scale is None or scale_arcsec is None or abs(scale / scale_arcsec - 1) <= SCALE_TOLERANCE:
            return unit
    listed = ", ".join(f'{unit.label} {scale:.4g}"' for unit, scale in zip(psfs, scales, strict=True))
    raise ValueError(
        f'{path}: the PSF has other pixels than the image, which has {scale_arcsec:.4g}" ({listed}): give a PSF that '
        "is sampled at the pixels of the image"
    )


def from_unit(kind: str, unit: FitsUnit, path: Path, role: str = "") -> np.ndarray:
    """The companion in a unit, [h, w] or [n, h, w].

    Args:
        role: of a unit whose name does not say it; default: the first of the kind.

    Raises:
        ValueError: if it is unsuitable.
    """
    if unit.images is None:
        raise ValueError(f"{path}#{unit.label}: {unit.problem}")
    role = unit.role.kind if unit.role.kind in ROLES[kind] else role or ROLES[kind][0]
    header = {**_instrument(unit.primary), **unit.header, "EXTNAME": unit.name}
    return _plain(checked(kind, role, np.asarray(unit.images), header, f"{path}#{unit.label}"))


def _instrument(primary: Mapping[str, Any]) -> dict[str, Any]:
    """The cards that say whose flags a mask has."""
    return {key: primary[key] for key in ("TELESCOP", "INSTRUME", "DETECTOR") if key in primary}


def _plain(images: np.ndarray) -> np.ndarray:
    return images[0] if len(images) == 1 else images


def checked(kind: str, role: str, images: np.ndarray, header: Mapping[str, Any], source: str) -> np.ndarray:
    """Images [n, h, w] of a role as companions of a kind.

    Masks are true where a pixel must not be used: of a weight map, where the weight is 0. Noise is a standard
    deviation, NaN where there is none. PSFs sum to 1.

    Raises:
        ValueError: if they are unsuitable.
    """
    if kind == PSF:
        return np.stack([unit_psf(source, image) for image in images])
    if role == WEIGHT:
        return ~(images > 0)
    if kind == MASK:
        return np.stack([unusable(image, header, source) for image in images])
    values = images.astype(np.float64)
    if role == NOISE:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.sqrt(values if role == VARIANCE else 1 / values)
    return np.where(values > 0, sigma, np.nan)
