"""The images of a FITS file, one unit for each HDU, with their roles and what belongs to them."""

import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits

from oddlens.observations.reading import fits_rows
from oddlens.observations.reading.file_formats import MAX_SIDE_PIXELS, too_large
from oddlens.observations.reading.fits_rows import FitsRows
from oddlens.observations.reading.pixel_scale import scale_cards
from oddlens.observations.reading.references import Reference
from oddlens.observations.reading.unit_roles import (
    INVERSE_VARIANCE,
    MASK,
    NOISE,
    OTHER,
    PSF,
    SCIENCE,
    UNKNOWN,
    VARIANCE,
    WEIGHT,
    Role,
    role_of,
)
from oddlens.schema.config_errors import nearest

SPECTRAL_AXIS = re.compile(r"WAVE|AWAV|FREQ|VELO|VRAD|VOPT|ZOPT|BETA|ENER|WAVN|LAMBDA|STOKES")
"""Beginnings of CTYPE3 of cubes whose planes are one object at several wavelengths or polarisations."""
COMPANION_KINDS = (NOISE, VARIANCE, INVERSE_VARIANCE, WEIGHT, MASK, PSF)
"""Roles of units that belong to an image."""


@dataclass(frozen=True)
class FitsUnit:
    """The images of one HDU. Row 0 is the top."""

    position: int
    """Number of the HDU, from 0."""
    name: str
    """EXTNAME in upper case; may be empty."""
    role: Role
    header: fits.Header
    primary: fits.Header
    """Header of HDU 0, which often names the telescope, and sometimes the pixel scale."""
    images: np.ndarray | FitsRows | None  # [n, h, w], numbers of any type
    problem: str = ""
    """Why there are no `images`."""
    cards: tuple[bytes, bytes] | None = None
    """The cards of `header` and `primary` that state a pixel scale; None if the file is compressed."""

    @property
    def label(self) -> str:
        """Its name for references and messages: `SCI`, `SCI,2`, or its number."""
        if not self.name:
            return str(self.position)
        return self.name if self.header.get("EXTVER", 1) == 1 else f"{self.name},{self.header['EXTVER']}"


def read(path: Path, pixels: bool = True, by_rows: bool = False) -> list[FitsUnit]:
    """All units of a FITS file that hold an image or a cube; if there is none, the columns of tables with images.

    Args:
        path: of the file.
        pixels: whether they are read; without, all are 0.
        by_rows: whether those of large cubes and tables stay in the file until they are needed.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if it cannot be read or has no image.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        # astropy warns of headers that deviate from the standard. Deviations that matter raise an error.
        with warnings.catch_warnings(action="ignore"), fits.open(path, memmap=False) as file:
            primary = file[0].header
            units = [
                _unit(k, hdu, primary, pixels, path if by_rows else None)
                for k, hdu in enumerate(file)
                if hdu.is_image and len(_shape(hdu)) > 1
            ]
            if not units:
                units = [
                    unit
                    for k, hdu in enumerate(file)
                    for unit in _cells(k, hdu, primary, pixels, path if by_rows else None)
                ]
            else:
                units = _with_cards(path, file, units)
            names = [hdu.name for hdu in file]
    except Exception as error:  # astropy raises errors of many types for damaged files
        raise ValueError(f"{path} cannot be read as FITS ({' '.join(str(error).split())})") from error
    if not units:
        raise ValueError(f"{path} has no two-dimensional image, only {', '.join(names) or 'an empty unit'}")
    return units


def _shape(hdu: fits.hdu.base.ExtensionHDU) -> tuple[int, ...]:
    """The shape without axes of length 1 before the last two; empty if there are no pixels."""
    shape = hdu.shape if 0 not in hdu.shape else ()
    return tuple(n for n in shape[:-2] if n > 1) + tuple(shape[-2:])


def _unit(
    position: int, hdu: fits.hdu.base.ExtensionHDU, primary: fits.Header, pixels: bool, path: Path | None
) -> FitsUnit:
    """The images of an HDU; with a path, those of a large cube stay in the file."""
    shape, header = _shape(hdu), hdu.header
    if "BSCALE" in header or "BZERO" in header:
        header = header.copy()  # astropy takes these cards away when it reads the pixels
    version = header.get("EXTVER", 1)
    role = role_of(hdu.name, version if isinstance(version, int) else 1)
    problem = ""
    if max(shape[-2:]) > MAX_SIDE_PIXELS:
        problem = too_large("it", max(shape[-2:]))
    elif len(shape) > 3:
        problem = f"it has {len(shape)} axes, {shape}; an image has two, a cube of images three"
    images: np.ndarray | FitsRows | None = None
    if not problem and pixels and path and len(shape) == 3 and _is_large(shape, header["BITPIX"]):
        images = FitsRows(path, position, shape)
    elif not problem:
        stack = hdu.data.reshape(-1, *shape[-2:]) if pixels else _zeros((*(shape[-3:-2] or (1,)), *shape[-2:]))
        images = np.flip(stack, -2)
    return FitsUnit(position, hdu.name.upper(), role, header, primary, images, problem)


def _with_cards(path: Path, file: fits.HDUList, units: list[FitsUnit]) -> list[FitsUnit]:
    """The units with the cards that state their pixel scale, as the file has them."""
    with path.open("rb") as raw:
        if raw.read(6) != b"SIMPLE":
            return units

        def cards(position: int) -> bytes:
            place = file[position].fileinfo()
            raw.seek(place["hdrLoc"])
            return scale_cards(raw.read(place["datLoc"] - place["hdrLoc"]))

        primary = cards(0)
        return [
            unit
            if isinstance(file[unit.position], fits.CompImageHDU)
            else replace(unit, cards=(cards(unit.position) if unit.position else primary, primary))
            for unit in units
        ]


def _is_large(shape: tuple[int, ...], bits: int) -> bool:
    return math.prod(shape) * abs(bits) // 8 >= fits_rows.MIN_BYTES


def _zeros(shape: tuple[int, ...]) -> np.ndarray:
    """An array that takes no memory."""
    return np.broadcast_to(np.zeros((), np.float32), shape)


def _cells(
    position: int, hdu: fits.hdu.base.ExtensionHDU, primary: fits.Header, pixels: bool, path: Path | None
) -> Iterator[FitsUnit]:
    """The columns of a table that have an image in each row, as files of the LSST strong lens challenge have them."""
    for column in hdu.columns.names if isinstance(hdu, fits.BinTableHDU) and hdu.header["NAXIS2"] else ():
        shape = tuple(side for side in hdu.columns.dtype[column].shape if side > 1)
        if len(shape) != 2 or hdu.columns.dtype[column].base.kind not in "iuf":
            continue
        header = hdu.header.copy()
        header.update(NAXIS1=shape[1], NAXIS2=shape[0])  # of the image, not of the table
        problem = too_large("it", max(shape)) if max(shape) > MAX_SIDE_PIXELS else ""
        images: np.ndarray | FitsRows | None = None
        rows = (hdu.header["NAXIS2"], *shape)
        if not problem and pixels and path and _is_large(rows, 8 * hdu.columns.dtype[column].base.itemsize):
            images = FitsRows(path, position, rows, column)
        elif not problem:
            images = np.flip(np.asarray(hdu.data[column]).reshape(rows) if pixels else _zeros(rows), -2)
        yield FitsUnit(position, column.upper(), role_of(column), header, primary, images, problem)


def named(units: Sequence[FitsUnit], reference: Reference) -> FitsUnit:
    """The unit that a reference names.

    Raises:
        ValueError: if there is none, or several; the message has all names.
    """
    wanted, labels = reference.unit.upper(), [unit.label for unit in units]
    found = [unit for unit in units if wanted in (unit.label, f"{unit.name},{unit.header.get('EXTVER', 1)}")]
    found = found or [unit for unit in units if wanted == unit.name]
    found = found or [unit for unit in units if wanted == str(unit.position)]
    if len(found) != 1:
        problem = "no image" if not found else f"{len(found)} images"
        raise ValueError(f"{reference.path} has {problem} '{reference.unit}'. {nearest(wanted, labels)}")
    return found[0]


def science_units(path: Path, units: Sequence[FitsUnit]) -> list[FitsUnit]:
    """The units that are observed images; if no name says so, the only one whose name says nothing.

    Raises:
        ValueError: if there is none, or if it is not clear which; the message has all names.
    """
    if science := [unit for unit in units if unit.role.kind == SCIENCE]:
        return science
    unknown = [unit for unit in units if unit.role.kind == UNKNOWN]
    if len(unknown) == 1:
        return unknown
    names = ", ".join(f"{unit.label} ({unit.role.kind})" for unit in units)
    if not unknown:
        raise ValueError(f"{path} has no observed image, only {names}: choose one by {path.name}#NAME if it is one")
    raise ValueError(f"{path}: it is not clear which unit is the image, {names}: choose one by {path.name}#NAME")


def belongs(companion: FitsUnit, image: FitsUnit, units: Sequence[FitsUnit]) -> bool:
    """Whether a noise map, mask or PSF belongs to an image.

    It does if band and version agree. In a file with one image the only unit of a kind belongs to it in any case, and a
    PSF without a band serves all versions of a single band.
    """
    of_kind = [unit for unit in units if unit.role.kind == companion.role.kind]
    images = [unit for unit in units if unit.role.kind == image.role.kind]
    if len(images) == 1 and len(of_kind) == 1:
        return True
    if companion.role.kind == PSF and len(of_kind) == 1 and not companion.role.band:
        return len({unit.role.band for unit in images}) == 1
    return (companion.role.band, companion.role.version) == (image.role.band, image.role.version)


def spectral_problem(unit: FitsUnit) -> str:
    """Why the planes of a cube are not images of several lenses; empty if they may be."""
    axis = str(unit.header.get("CTYPE3", "")).upper()
    if unit.images is None or len(unit.images) == 1 or not SPECTRAL_AXIS.match(axis):
        return ""
    return (
        f"its {len(unit.images)} planes show one object at different wavelengths or polarisations (CTYPE3 = {axis}): "
        f"add the planes of a band, or choose one, for example #{unit.label}[0]"
    )


def unused(units: Sequence[FitsUnit], used: Sequence[FitsUnit]) -> str:
    """A sentence that names the units that are not used, if there are any."""
    ignored = [unit.label for unit in units if unit not in used and unit.role.kind in (OTHER, *COMPANION_KINDS)]
    unknown = [unit.label for unit in units if unit not in used and unit.role.kind == UNKNOWN]
    parts = [f"Not used: {', '.join(ignored)}." if ignored else ""]
    parts += [f"Not understood: {', '.join(unknown)}." if unknown else ""]
    return " ".join(part for part in parts if part)
