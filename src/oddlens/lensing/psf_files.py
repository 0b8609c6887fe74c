"""Point-spread functions in FITS and NPY files: reading, checks and resampling. Row 0 of an array is the top.

A kernel is sampled at the centres of pixels. Images are averaged over pixels before they are convolved with it.
"""

import hashlib
import warnings
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from oddlens.lensing.grids import SCALE_TOLERANCE

SUM_TOLERANCE = 0.1
"""A truncated PSF sums to a little less than 1. One that deviates by more is no PSF, or has other units."""
SCALE_KEYWORDS = ("PIXELSCL", "PIXSCALE")
"""Keywords of the pixel scale of a PSF, arcsec."""
CENTRE_TOLERANCE_PIXELS, CORE_PART = 0.25, 0.2
"""The largest accepted distance of the centroid from the central pixel. It is that of the pixels that are brighter than
the second, relative to the peak."""
PSF = "PSF"
"""The name of the unit of a FITS file with several images."""
MAX_NEGATIVE = 0.02
"""The largest accepted size of negative pixels, relative to the peak."""
MIN_KEPT = 0.99
"""The smallest accepted part of the light of a PSF that its central part of `pixels` holds."""
FINE = 8
"""Points per pixel side from which the width of a kernel is measured."""


def path_of(file: str) -> Path:
    """The path of `file`, which may name a unit of a FITS file: `psf.fits#F814W`."""
    return Path(file.partition("#")[0])


def digest(file: str) -> str:
    """The SHA-256 of the file."""
    return hashlib.sha256(path_of(file).read_bytes()).hexdigest()


def kernel(
    file: str, scale_arcsec: float, own_scale_arcsec: float | None = None, pixels: int | None = None
) -> np.ndarray:
    """The PSF in a file at the pixels of a camera, [k, k] with odd k and the sum 1.

    Args:
        file: path, with the unit if there are several.
        scale_arcsec: pixel scale of the camera.
        own_scale_arcsec: pixel scale of the file; a finer one is resampled. The default is that of the camera.
        pixels: side of the central part that is used; the default is all.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no PSF, not centred, not at the scale that is stated, or has light outside `pixels`.
    """
    path = path_of(file)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path} (relative paths start at the working directory)")
    about = path.stat()
    return _kernel(file, scale_arcsec, own_scale_arcsec, pixels, (about.st_mtime_ns, about.st_size))


@lru_cache(maxsize=8)
def _kernel(file: str, scale: float, own_scale: float | None, pixels: int | None, version: tuple) -> np.ndarray:
    psf, stated = read(file)
    if stated is not None and abs(stated / (own_scale or scale) - 1) > SCALE_TOLERANCE:
        raise ValueError(
            f'{file} says that its pixels have {stated:.4g}", not {own_scale or scale:.4g}": set '
            f"camera.psf.pixel_scale_arcsec: {stated:.4g}, and it is resampled to the pixels of the camera"
        )
    psf = checked(file, psf)
    if own_scale is not None and abs(own_scale / scale - 1) > 1e-9:
        psf = _resampled(file, psf, scale / own_scale)
    psf = psf if pixels is None else _central(file, psf, pixels)
    psf.flags.writeable = False
    return psf


def read(file: str) -> tuple[np.ndarray, float | None]:
    """The array of a file, [h, w], and its pixel scale in arcsec if the header states it.

    Raises:
        ValueError: it is neither FITS nor NPY, is damaged, or has no image of that name or several.
    """
    path, unit = path_of(file), file.partition("#")[2]
    with path.open("rb") as opened:
        head = opened.read(6)
    try:
        if head == b"\x93NUMPY":
            return np.load(path, allow_pickle=False), None
        images = _fits(path) if head.startswith((b"SIMPLE", b"\x1f\x8b")) else None
    except (OSError, EOFError) as error:
        raise ValueError(f"{path} is damaged ({error}): get it again") from error
    except ValueError as error:
        raise ValueError(f"{path} cannot be read ({error}): save the numbers of the PSF by numpy.save") from error
    if images is None:
        raise ValueError(f"{path} is neither FITS nor NPY: give the PSF in one of these formats")
    named = unit.upper() or (PSF if PSF in images else next(iter(images), ""))
    if named not in images or (len(images) > 1 and not unit and named != PSF):
        raise ValueError(f"{file}: choose one of its images by {path.name}#NAME: {', '.join(images) or 'none'}")
    return images[named]


def _fits(path: Path) -> dict[str, tuple[np.ndarray, float | None]]:
    """The images of a FITS file by EXTNAME or number, row 0 at the top, with the pixel scale that the header states."""
    from astropy.io import fits

    with warnings.catch_warnings(action="ignore"), fits.open(path, memmap=False) as opened:
        units = {hdu.name or str(k): hdu for k, hdu in enumerate(opened) if hdu.is_image and hdu.data is not None}
        return {name: (np.array(hdu.data)[::-1], stated_scale(hdu.header, None)) for name, hdu in units.items()}


def stated_scale(header: Mapping[str, Any], image_scale_arcsec: float | None) -> float | None:
    """Arcsec per pixel of a PSF, by its header or by its oversampling of an image; None if unknown."""
    for keyword in SCALE_KEYWORDS:
        if isinstance(value := header.get(keyword), int | float) and value > 0:
            return float(value)
    factor = header.get("OVERSAMP", 1)
    return (
        image_scale_arcsec / factor if image_scale_arcsec and isinstance(factor, int | float) and factor > 1 else None
    )


def unit_psf(source: Path | str, psf: np.ndarray) -> np.ndarray:
    """A PSF normalised to the sum 1.

    Raises:
        ValueError: if its sum differs from 1 by more than `SUM_TOLERANCE`.
    """
    psf = np.asarray(psf, float)
    if not np.isfinite(psf).all() or abs(psf.sum() - 1) > SUM_TOLERANCE:
        raise ValueError(
            f"{source}: the PSF sums to {psf.sum():.3g}, but its sum must be 1 within {SUM_TOLERANCE:g}: divide it "
            "by its sum, if it is a PSF"
        )
    return psf / psf.sum()


def checked(source: Path | str, psf: np.ndarray) -> np.ndarray:
    """A square, centred PSF with an odd side, normalised to the sum 1.

    Raises:
        ValueError: if it is not square, not odd, not centred, negative, or its sum is not about 1.
    """
    psf = np.asarray(psf)
    if psf.ndim != 2 or psf.shape[0] != psf.shape[1] or psf.dtype.kind not in "fiu":
        raise ValueError(f"{source} has the shape {psf.shape}; a PSF is one square image of numbers: cut it out")
    side = len(psf)
    if side % 2 == 0 or side < 3:
        raise ValueError(
            f"{source} has {side} pixels a side; a PSF needs an odd number, at least 3, so that it has a "
            "central pixel: resample it, or cut it out about the pixel of its peak"
        )
    psf = unit_psf(source, psf)
    if psf.min() < -MAX_NEGATIVE * psf.max():
        raise ValueError(
            f"{source} has a pixel of {psf.min() / psf.max():.2g} of its peak; at least {-MAX_NEGATIVE:g} "
            "is allowed: subtract its background or set such pixels to 0"
        )
    core = np.where(psf > CORE_PART * psf.max(), psf, 0)
    off = np.array(ndimage.center_of_mass(core)) - side // 2
    if np.abs(off).max() > CENTRE_TOLERANCE_PIXELS:
        raise ValueError(
            f"{source}: its core is {-off[0]:.2f} pixels above and {off[1]:.2f} right of its centre; at "
            f"most {CENTRE_TOLERANCE_PIXELS:g} are allowed: cut it out about the pixel of its peak, or shift it"
        )
    return psf


def _central(source: str, psf: np.ndarray, pixels: int) -> np.ndarray:
    margin = (len(psf) - pixels) // 2
    if margin < 0:
        raise ValueError(
            f"{source} has {len(psf)} pixels a side, fewer than camera.psf.pixels ({pixels}): set "
            "camera.psf.pixels: null for all of it"
        )
    part = psf[margin : margin + pixels, margin : margin + pixels]
    if part.sum() < MIN_KEPT:
        raise ValueError(
            f"{source}: its central {pixels} pixels hold {part.sum():.1%} of its light; at least {MIN_KEPT:.0%} "
            f"are needed: raise camera.psf.pixels, or set it to null for all {len(psf)}"
        )
    return part / part.sum()


def _resampled(source: str, psf: np.ndarray, ratio: float) -> np.ndarray:
    """A PSF at the centres of pixels that are `ratio` times as wide, as many as lie inside it, by cubic splines."""
    if ratio < 1:
        raise ValueError(
            f"{source} has pixels {1 / ratio:.3g} times as wide as the camera's: a PSF is only resampled from "
            "finer pixels; give one at the pixels of the camera"
        )
    half = int(len(psf) // 2 / ratio + 1e-9)
    if half < 1:
        raise ValueError(f"{source} is smaller than three pixels of the camera: give a larger one")
    axis = np.arange(-half, half + 1) * ratio
    sampled = interpolated(psf, axis[:, None], axis)
    return sampled / sampled.sum()


def interpolated(psf: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A kernel at positions in its pixels (y down) from its centre, by cubic splines; 0 beyond its outermost pixels."""
    places = np.stack(np.broadcast_arrays(y, x)) + len(psf) // 2
    return ndimage.map_coordinates(psf, places, order=3, mode="constant")


def fwhm_pixels(psf: np.ndarray) -> float:
    """Full width at half maximum of a kernel: the diameter of the circle with the area above half of its peak."""
    axis = np.arange(-(len(psf) // 2) * FINE, len(psf) // 2 * FINE + 1) / FINE
    fine = interpolated(psf, axis[:, None], axis)
    return float(2 * np.sqrt(np.sum(fine > fine.max() / 2) / np.pi) / FINE)
