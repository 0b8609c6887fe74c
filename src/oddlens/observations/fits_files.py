"""Images as FITS files. One that is written: pixels, noise, point-spread function, scale, and the truth in the header.

FITS counts rows from the bottom, shards from the top: every map is turned over on its way, so that +y is up and +x is
right in any viewer. Equal contents make equal files, and each unit carries its checksum.
"""

import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits

BUNIT = "electron/s"
WITHOUT_UNIT = ("PSF", "KAPPADIF")
"""Maps that are no images."""
COMPANIONS = {"PSF": "psf", "NOISE": "noise", "ERR": "noise", "MASK": "mask"}
"""Units that say something of a file's images, by the names that are common."""
NO_IMAGES = {*COMPANIONS, "NOISEFREE", "TWIN", "KAPPADIF", "DQ", "WHT", "VAR"}
"""Units that are not what a telescope saw."""
LARGEST = 2048
"""Pixels on a side that an image may have."""
COMMENTS = {
    "NOISE": "standard deviation of the noise",
    "PSF": "point-spread function at the pixels' scale, sum 1",
    "NOISEFREE": "the image without noise",
    "TWIN": "the observed smooth twin: same lens, source and noise",
    "KAPPADIF": "mean convergence of the pixels less the smooth twin's",
    "SUBSTRUCTURE": "what the class added; *_area is Einstein radius squared",
    "CLUMPS": "further components of the source",
}


@dataclass(frozen=True)
class Observation:
    """What goes into a file. Arrays have row 0 at the top; `maps` and `tables` become extensions of their names."""

    image: np.ndarray  # [pixels, pixels], electrons / s
    pixel_scale_arcsec: float
    identity: Mapping[str, str | int]  # dataset, pool, class, index, seed
    truth: Mapping[str, float]  # units are in the names
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)  # columns of scalars or of [slots]
    comments: Sequence[str] = ()


@dataclass(frozen=True)
class Unit:
    """Images of a FITS file that share a header; row 0 is the top."""

    name: str  # upper case; the primary one's may be empty
    images: np.ndarray  # [n, h, w], numbers of any type
    header: fits.Header


def read(path: Path) -> list[Unit]:
    """All images and cubes of images in a FITS file.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it cannot be read, holds no image, or one that is too large.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        # Headers that are not as the standard has them are warned of; what matters is an error.
        with warnings.catch_warnings(action="ignore"), fits.open(path, memmap=False) as file:
            units = [unit for unit in file if unit.is_image and len(unit.shape) in (2, 3) and 0 not in unit.shape]
            sizes = [max(unit.shape[-2:]) for unit in units]
            found = [
                Unit(unit.name.upper(), np.flip(np.atleast_3d(unit.data.T).T, -2), unit.header)
                for unit in units
                if max(sizes) <= LARGEST
            ]
    except Exception as error:  # astropy raises whatever it stumbles over
        raise ValueError(f"{path} cannot be read as FITS ({' '.join(str(error).split())})") from error
    if not units:
        raise ValueError(f"{path} holds no image of two dimensions")
    if not found:
        raise ValueError(
            f"{path} has an image of {max(sizes)} pixels on a side; {LARGEST} are the most: cut the lens out, some "
            "10 arcsec around it"
        )
    return found


def write(path: Path | str, seen: Observation) -> None:
    """Write the file, over what is there."""
    units: list = [fits.PrimaryHDU(np.flipud(seen.image), header=_header(seen))]
    for name, array in seen.maps.items():
        header = _grid(array.shape, seen.pixel_scale_arcsec)
        if name not in WITHOUT_UNIT:
            header["BUNIT"] = BUNIT
        units.append(fits.ImageHDU(np.flipud(array), header=header, name=name))
    units += [_table(name, columns) for name, columns in seen.tables.items() if columns]
    whole = fits.HDUList(units)
    whole.update_extend()
    for unit in whole:
        if unit.name in COMMENTS:
            unit.header["COMMENT"] = COMMENTS[unit.name]
        unit.add_checksum(when="checksum")  # a comment instead of the time of day
    whole.writeto(path, overwrite=True)


def _header(seen: Observation) -> fits.Header:
    header = _grid(seen.image.shape, seen.pixel_scale_arcsec)
    header["BUNIT"] = (BUNIT, "per pixel, sky subtracted")
    for name, value in seen.identity.items():
        header[name.upper()] = value
    for name, number in seen.truth.items():
        header.append(_card(name, float(number)), end=True)
    for comment in seen.comments:
        for line in textwrap.wrap(comment, 72):
            header["COMMENT"] = line
    return header


def _card(name: str, value: float) -> fits.Card:
    """A long-named card with all digits of its value; astropy's own would round it to sixteen.

    Raises:
        ValueError: if the value is not finite, for which FITS headers have no words.
    """
    if not np.isfinite(value):
        raise ValueError(f"{name} is {value}, which a FITS header cannot hold")
    return fits.Card.fromstring(f"HIERARCH {name} = {repr(value).upper()}")


def _grid(shape: tuple[int, ...], pixel_scale_arcsec: float) -> fits.Header:
    """The scale, and coordinates as plain offsets from the middle, in degrees; x grows to the right, y upwards."""
    header = fits.Header()
    header["PIXSCALE"] = (pixel_scale_arcsec, "arcsec per pixel")
    for axis, name, pixels in ((1, "XOFFSET", shape[1]), (2, "YOFFSET", shape[0])):
        header[f"CTYPE{axis}"] = (name, "linear offset from the middle")
        header[f"CUNIT{axis}"] = "deg"
        header[f"CRPIX{axis}"] = (pixels + 1) / 2
        header[f"CRVAL{axis}"] = 0.0
        header[f"CDELT{axis}"] = pixel_scale_arcsec / 3600
    return header


def _table(name: str, columns: Mapping[str, np.ndarray]) -> fits.BinTableHDU:
    """A row for each slot that weighs or shines; empty ones stay out."""
    slots = {column: np.atleast_1d(np.asarray(values, np.float64)) for column, values in columns.items()}
    used = np.ones(len(next(iter(slots.values()))), bool)
    for column, values in slots.items():
        if column.endswith(("_area", "_intensity_per_arcsec2")):
            used &= values > 0
    made = [fits.Column(name=column, format="D", array=values[used]) for column, values in slots.items()]
    return fits.BinTableHDU.from_columns(made, name=name)
