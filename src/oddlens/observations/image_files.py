"""Images in FITS, HDF5, NPY and NPZ files of any origin, with the PSF, noise map and mask that belong to them.

The first bytes of a file determine its format, not its name (`file_formats`). NPY, NPZ and HDF5 files hold images with
row 0 at the top (`array_files`). FITS counts rows from the bottom, so its images are flipped.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from oddlens.observations import array_files, file_formats, fits_files
from oddlens.observations.array_axes import as_image
from oddlens.observations.array_files import DEFAULT_DATASET
from oddlens.observations.fits_files import COMPANION_EXTENSIONS, NON_SCIENCE_EXTENSIONS, FitsImages
from oddlens.observations.lens_index import MAX_PIXEL_SCALE_ARCSEC, file_of
from oddlens.schema.config_errors import nearest

DATA_FILE = "data.fits"
"""The image of a folder."""
COMPANION_FILES = {"psf": "psf.fits", "noise": "noise_map.fits", "mask": "mask_extra_galaxies.fits"}
"""Files in the same folder that belong to the images of a FITS file, by kind."""
PSF_SUM_TOLERANCE = 0.1
"""A truncated PSF sums to a little less than 1. One that deviates by more is no PSF, or has other units."""
SCALE_TOLERANCE = 0.01
"""Pixel scales that differ by a smaller fraction are equal."""
SCALE_HELP = (
    "Give --pixel-scale in arcsec, or PIXSCALE (arcsec), CD1_1 or CDELT1 (degrees) in the header, or "
    '{"pixel_scale": ...} (arcsec) in info.json beside it'
)


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
    channel: int | None = None,
    pixel_scale_arcsec: float | None = None,
    companions: Mapping[str, Path | None] | None = None,
) -> Iterator[ImageStack]:
    """The images of a file, or of data.fits in a folder.

    Args:
        dataset: of the images, in an HDF5 or NPZ file.
        channel: the band that is read, from 0, where an array has several.
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
    file_format = file_formats.detect(path)
    if file_format == "FITS":
        yield from _read_fits(path, pixel_scale_arcsec, companions)
    else:
        images, scale = array_files.read_images(
            path, file_format, dataset=dataset, channel=channel, pixel_scale_arcsec=pixel_scale_arcsec
        )
        yield ImageStack(_labels(path.name, len(images)), images, scale, _companions(path, [], companions))


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
        scale = _pixel_scale(path, hdu.header, pixel_scale_arcsec)
        yield ImageStack(_labels(label, len(hdu.images)), hdu.images, scale, arrays)


def read_one(reference: str | Path) -> np.ndarray:
    """The one image [h, w] of `path`, or of `path#NAME`: a FITS extension, or an array of an HDF5 or NPZ file.

    Raises:
        FileNotFoundError, ValueError: if there is none, or if there are several and no name.
    """
    path, name = file_of(str(reference)), str(reference).rpartition("#")[2]
    name = "" if str(path) == str(reference) else name
    file_format = file_formats.detect(path)
    if file_format == "FITS":
        return _one_of_fits(path, name)
    return as_image(str(reference), array_files.read_array(path, file_format, name or DEFAULT_DATASET)[0])


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
    if file_formats.detect(path) != "HDF5":
        return None
    try:
        rms, exposure = (array_files.read_array(path, "HDF5", name)[0] for name in ("background_rms", "exposure_time"))
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


def _labels(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}[{k}]" for k in range(count)]


# --- companions and pixel scale --------------------------------------------------------------------------------------


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


def _pixel_scale(path: Path, header: Mapping[str, Any], override: float | None) -> float | None:
    """Arcsec per pixel: the override, or the value of header and info.json; None if there is no value.

    Raises:
        ValueError: if header and info.json disagree, or hold no number.
    """
    if override is not None:
        return override
    info = path.with_name("info.json")
    try:
        step = (header["CD1_1"], header.get("CD2_1", 0)) if "CD1_1" in header else (header.get("CDELT1", 0), 0)
        scales = {
            "header": float(header.get("PIXSCALE", 3600 * math.hypot(*step))),
            "info.json": float(json.loads(info.read_text()).get("pixel_scale", 0)) if info.is_file() else 0.0,
        }
    except (TypeError, ValueError, AttributeError, fits.VerifyError) as error:
        raise ValueError(f"{path}: the pixel scale is not a number ({error}): give it by --pixel-scale") from error
    scales = {where: scale for where, scale in scales.items() if 0 < scale < MAX_PIXEL_SCALE_ARCSEC}
    if scales and max(scales.values()) > (1 + SCALE_TOLERANCE) * min(scales.values()):
        raise ValueError(f"{path}: the pixel scales disagree, {scales} arcsec: choose one by --pixel-scale")
    return next(iter(scales.values()), None)
