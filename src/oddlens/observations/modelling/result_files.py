"""Files of a fit: its numbers as JSON, its images as FITS, its model as arrays and in the COOLEST standard."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy.io import fits

from oddlens.files.artefacts import atomic_write
from oddlens.observations.modelling import coolest_model
from oddlens.observations.modelling.frame_result import FrameResult
from oddlens.observations.modelling.mass_scan import MassScan
from oddlens.observations.modelling.smooth_lens import SmoothLens

MODEL_FILE, FITS_FILE, LENS_FILE, COOLEST_FOLDER = "fit.json", "fit.fits", "lens.npz", "coolest"
COOLEST_FILE = "model.json"
SCAN = "scan_"
"""The prefix of the arrays of a scan in the file of a lens."""


class WrittenFit(NamedTuple):
    """What files keep of a fit.

    Attributes:
        numbers: those of `FrameResult`; of a lens that could not be fitted its `name` and the `problem`.
        lens: the smooth lens, if it could be fitted.
        scan: likewise.
    """

    numbers: Mapping[str, Any]
    lens: SmoothLens | None
    scan: MassScan | None


def write_problem(name: str, problem: str, folder: Path) -> None:
    """Write why a lens could not be fitted."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / MODEL_FILE, {"name": name, "problem": problem})


def read_fit(folder: Path) -> WrittenFit:
    """Read the files of a fit."""
    numbers = json.loads((folder / MODEL_FILE).read_text())
    if "problem" in numbers:
        return WrittenFit(numbers, None, None)
    with np.load(folder / LENS_FILE) as arrays:
        scan = {name.removeprefix(SCAN): arrays[name] for name in arrays if name.startswith(SCAN)}
        lens = SmoothLens.of_arrays({name: arrays[name] for name in arrays if not name.startswith(SCAN)})
    return WrittenFit(numbers, lens, MassScan(**scan))


def write_fit(result: FrameResult, folder: Path) -> None:
    """Write all files of a fit to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / FITS_FILE) as temporary, temporary.open("wb") as file:
        _hdus(result).writeto(file)
    with atomic_write(folder / LENS_FILE) as temporary, temporary.open("wb") as file:
        arrays: dict[str, Any] = {f"{SCAN}{name}": part for name, part in result.scan._asdict().items()}
        np.savez(file, **(arrays | result.lens.arrays()))
    _write_coolest(result, folder / COOLEST_FOLDER)
    _write_json(folder / MODEL_FILE, result.numbers)


def _write_coolest(result: FrameResult, folder: Path) -> None:
    """Write the model as COOLEST, and the images that it names."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        coolest_model.IMAGE: result.images["image"],
        coolest_model.NOISE: result.images["noise"],
        coolest_model.PSF: result.psf,
        coolest_model.SOURCE: result.source,
    }
    for name, array in arrays.items():
        with atomic_write(folder / name) as temporary, temporary.open("wb") as file:
            fits.PrimaryHDU(array[::-1].astype(np.float32)).writeto(file)  # FITS has row 0 at the bottom
    _write_json(folder / COOLEST_FILE, result.to_coolest())


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def _hdus(result: FrameResult) -> fits.HDUList:
    """One extension for each image; FITS has row 0 at the bottom."""
    scale = result.numbers["frame"]["pixel_scale_arcsec"]
    hdus = [fits.PrimaryHDU()]
    for name, image in result.images.items():
        hdu = fits.ImageHDU(image[::-1], name=name.upper())
        hdu.header["PIXSCALE"] = (scale, "arcsec")
        hdus.append(hdu)
    hdus.append(fits.ImageHDU(result.source[::-1], name="SOURCE"))
    scan = result.scan
    for name in ("significance", "area", "area_sigma"):
        hdu = fits.ImageHDU(getattr(scan, name)[::-1].astype(np.float32), name=f"MASS_{name.upper()}")
        hdu.header["PIXSCALE"] = (float(scan.along[1] - scan.along[0]), "arcsec")
        hdus.append(hdu)
    return fits.HDUList(hdus)
