"""Catalogues of galaxies: a FITS file with a cut-out and a point-spread function for each, and their noise.

A catalogue has image extensions `GAL<name>`, each with the variance of its noise per pixel in the header (`NOISEVAR`),
and `PSF<name>` with the point-spread function at the same pixels. Row 0 of arrays is the top.
"""

import hashlib
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from oddlens.lensing.psf_files import unit_psf

GALAXY, PSF, VARIANCE = "GAL", "PSF", "NOISEVAR"
"""Beginnings of the names of extensions, and the header keyword of the noise variance."""


class Cutout(NamedTuple):
    """A galaxy of a catalogue.

    Attributes:
        name: that of its extension.
        image: [h, w], in any unit.
        variance: of the noise of a pixel, in this unit squared.
        psf: at the same pixels, [k, l], with the sum 1.
    """

    name: str
    image: np.ndarray
    variance: float
    psf: np.ndarray

    @property
    def peak_sn(self) -> float:
        """The signal-to-noise ratio of the brightest pixel."""
        return float(self.image.max() / np.sqrt(self.variance))


def digest(file: str) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def read_cutouts(file: str) -> list[Cutout]:
    """The galaxies of a catalogue, by name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no FITS file, or a galaxy lacks its noise or its point-spread function.
    """
    units = _images(file)
    names = sorted(name for name in units if name.startswith(GALAXY))
    if not names:
        raise ValueError(
            f"{file} has no galaxies: its images must be named {GALAXY}<name>, with {PSF}<name> beside each. "
            f"It has {', '.join(list(units)[:5]) or 'no images'}"
        )
    return [_cutout(file, name, units) for name in names]


def _cutout(file: str, name: str, units: dict[str, tuple[np.ndarray, object]]) -> Cutout:
    image, variance = units[name]
    psf = units.get(name.replace(GALAXY, PSF, 1))
    if not isinstance(variance, int | float) or not variance > 0:
        raise ValueError(f"{file}: {name} has no {VARIANCE} above 0 in its header, the variance of its noise per pixel")
    if psf is None:
        raise ValueError(f"{file}: {name} has no point-spread function: add {name.replace(GALAXY, PSF, 1)}")
    if image.ndim != 2 or not np.isfinite(image).all():
        raise ValueError(f"{file}: {name} has the shape {image.shape} or pixels that are not finite: cut it out again")
    return Cutout(name, image, float(variance), unit_psf(f"{file}, {name}", psf[0]))


def read_noise_correlation(file: str) -> np.ndarray:
    """The correlation function of noise, [k, l] with lag 0 in the middle, where it is 1.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it has no image of odd sides whose maximum is in the middle.
    """
    units = _images(file)
    if len(units) != 1:
        raise ValueError(f"{file} has {len(units)} images; the correlation function of the noise is one")
    ((correlation, _),) = units.values()
    middle = tuple(side // 2 for side in correlation.shape)
    odd = all(side % 2 for side in correlation.shape)
    if correlation.ndim != 2 or not odd or not correlation[middle] == correlation.max() > 0:
        raise ValueError(
            f"{file}: a correlation function has odd sides and its maximum, lag 0, in the middle; this one has the "
            f"shape {correlation.shape}"
        )
    return correlation / correlation[middle]


def _images(file: str) -> dict[str, tuple[np.ndarray, object]]:
    """The images of a FITS file by name or number, with the noise variance that their headers state."""
    from astropy.io import fits

    if not Path(file).is_file():
        raise FileNotFoundError(f"there is no file {file} (relative paths start at the working directory)")
    try:
        with warnings.catch_warnings(action="ignore"), fits.open(file, memmap=False) as opened:
            units = {hdu.name or str(k): hdu for k, hdu in enumerate(opened) if hdu.is_image and hdu.data is not None}
            return {n: (np.array(hdu.data[::-1], float), hdu.header.get(VARIANCE)) for n, hdu in units.items()}
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(f"{file} is no FITS file, or damaged ({error}): get it again") from error
