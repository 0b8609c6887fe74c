"""An `Observation` is written as a FITS file with its noise, PSF and truth.

FITS counts rows from the bottom and shards from the top. Images are therefore flipped, so that in any viewer +y points
up and +x to the right. Equal contents give equal files, and each HDU has its checksum.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits

BUNIT = "electron/s"
UNITLESS_MAPS = ("PSF", "KAPPADIF")
"""Maps that are not in units of `BUNIT`."""
IDENTITY_KEYWORDS = {"source_galaxy": "GALAXY"}
"""Header keywords of an image's identity that are not the name itself."""
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
    """The content of a FITS file that is written. Row 0 of arrays is the top."""

    image: np.ndarray  # [pixels, pixels], electrons / s
    pixel_scale_arcsec: float
    identity: Mapping[str, str | int]  # dataset, pool, class, index, seed, and source_galaxy if the source is one
    truth: Mapping[str, float]
    """Header cards; their names include the units."""
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Image extensions by name, [h, w]."""
    tables: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    """Table extensions by name; columns are scalars or [slots]."""
    comments: Sequence[str] = ()


def write(path: Path | str, observation: Observation) -> None:
    """Write a FITS file; an existing file is overwritten."""
    hdus: list = [fits.PrimaryHDU(np.flipud(observation.image), header=_primary_header(observation))]
    for name, array in observation.maps.items():
        header = _grid_header(array.shape, observation.pixel_scale_arcsec)
        if name not in UNITLESS_MAPS:
            header["BUNIT"] = BUNIT
        hdus.append(fits.ImageHDU(np.flipud(array), header=header, name=name))
    hdus += [_table(name, columns) for name, columns in observation.tables.items() if columns]
    file = fits.HDUList(hdus)
    file.update_extend()
    for hdu in file:
        if hdu.name in COMMENTS:
            hdu.header["COMMENT"] = COMMENTS[hdu.name]
        hdu.add_checksum(when="checksum")  # the comment replaces the time of day
    file.writeto(path, overwrite=True)


def _primary_header(observation: Observation) -> fits.Header:
    header = _grid_header(observation.image.shape, observation.pixel_scale_arcsec)
    header["BUNIT"] = (BUNIT, "per pixel, sky subtracted")
    for name, value in observation.identity.items():
        header[IDENTITY_KEYWORDS.get(name, name.upper())] = value
    for name, number in observation.truth.items():
        header.append(_card(name, float(number)), end=True)
    for comment in observation.comments:
        for line in textwrap.wrap(comment, 72):
            header["COMMENT"] = line
    return header


def _card(name: str, value: float) -> fits.Card:
    """A long-named card with all digits of its value; astropy rounds to sixteen.

    Raises:
        ValueError: if the value is not finite, which FITS headers cannot represent.
    """
    if not np.isfinite(value):
        raise ValueError(f"{name} is {value}, which a FITS header cannot hold: only finite numbers are allowed")
    return fits.Card.fromstring(f"HIERARCH {name} = {repr(value).upper()}")


def _grid_header(shape: tuple[int, ...], pixel_scale_arcsec: float) -> fits.Header:
    """The pixel scale, and linear coordinates in degrees from the middle; x grows to the right, y upwards."""
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
    """One row for each used slot; slots without mass and light are left out."""
    slots = {column: np.atleast_1d(np.asarray(values, np.float64)) for column, values in columns.items()}
    used = np.ones(len(next(iter(slots.values()))), bool)
    for column, values in slots.items():
        if column.endswith(("_area", "_intensity_per_arcsec2")):
            used &= values > 0
    fits_columns = [fits.Column(name=column, format="D", array=values[used]) for column, values in slots.items()]
    return fits.BinTableHDU.from_columns(fits_columns, name=name)
