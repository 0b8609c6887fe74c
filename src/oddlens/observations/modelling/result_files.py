"""Files of a fit: its numbers as JSON, its images as FITS, and its model in the COOLEST standard.

COOLEST (Galan et al. 2023, JOSS 8, 5567) is a JSON format for lens models that lenstronomy, Herculens and VKL read. Its
position angles are counter-clockwise from +y, and its shear angle is that of the stretch. It has no multipoles and no
perturbers: they are in its `meta`.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from oddlens import __version__
from oddlens.files.artefacts import atomic_write
from oddlens.lensing.cosmology import COSMOLOGY
from oddlens.observations.modelling.frame_result import FrameResult

MODEL_FILE, FITS_FILE, COOLEST_FILE = "fit.json", "fit.fits", "coolest.json"


def write_fit(result: FrameResult, folder: Path) -> None:
    """Write all files of a fit to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / FITS_FILE) as temporary, temporary.open("wb") as file:
        _hdus(result).writeto(file)
    for name, content in ((MODEL_FILE, result.numbers), (COOLEST_FILE, coolest(result))):
        with atomic_write(folder / name) as temporary:
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


def coolest(result: FrameResult) -> dict[str, Any]:
    """The smooth model as COOLEST."""
    numbers, lens = result.numbers, result.numbers["lens"]
    shape = next(iter(result.images.values())).shape
    scale = numbers["frame"]["pixel_scale_arcsec"]
    redshifts = numbers.get("redshifts", {"lens": None, "source": None})
    shear = [lens[f"shear_{part}"]["value"] for part in (1, 2)]
    halo = {
        "gamma": lens["slope"]["value"],
        "theta_E": lens["einstein_radius"]["value"],
        "q": lens["axis_ratio"],
        "phi": _from_y(lens["angle_deg"]),
        "center_x": lens["centre_x"]["value"],
        "center_y": lens["centre_y"]["value"],
    }
    field = {"gamma_ext": math.hypot(*shear), "phi_ext": _from_y(math.degrees(0.5 * math.atan2(shear[1], shear[0])))}
    corners = {f"field_of_view_{axis}": numbers["source"][f"{axis}_arcsec"] for axis in ("x", "y")}
    source = {"fits_file": {"path": f"{FITS_FILE}"}, **corners, "num_pix_x": result.source.shape[1]}
    source["num_pix_y"] = result.source.shape[0]
    return {
        "standard": "COOLEST",
        "mode": "MAP",
        "coordinates_origin": {"ra": 0.0, "dec": 0.0},
        "cosmology": {"H0": COSMOLOGY.H0.value, "Om0": COSMOLOGY.Om0, "astropy_name": "FlatLambdaCDM"},
        "instrument": {"name": "unknown", "pixel_size": scale, "psf": None},
        "observation": {"pixels": _pixels(shape, scale), "noise": None},
        "lensing_entities": [
            _entity("MassField", "external shear", redshifts["lens"], mass={"ExternalShear": field}),
            _entity("Galaxy", "lens galaxy", redshifts["lens"], mass={"PEMD": halo}),
            {**_entity("Galaxy", "source galaxy", redshifts["source"]), "light_model": [_source_light(source)]},
        ],
        "meta": {"software": f"oddlens {__version__}", "name": result.name, "beyond_coolest": _beyond(numbers)},
    }


def _from_y(angle_deg: float) -> float:
    """An angle from +x as one from +y, in (-90, 90]."""
    angle = (angle_deg - 90) % 180
    return angle - 180 if angle > 90 else angle


def _pixels(shape: tuple[int, ...], scale: float) -> dict[str, Any]:
    halves = [n * scale / 2 for n in shape]
    return {
        "fits_file": {"path": FITS_FILE},
        "field_of_view_x": [-halves[1], halves[1]],
        "field_of_view_y": [-halves[0], halves[0]],
        "num_pix_x": shape[1],
        "num_pix_y": shape[0],
    }


def _entity(kind: str, name: str, redshift: float | None, mass: Mapping[str, Any] | None = None) -> dict[str, Any]:
    profiles = [
        {"type": profile, "parameters": {key: {"point_estimate": {"value": value}} for key, value in own.items()}}
        for profile, own in (mass or {}).items()
    ]
    light: dict[str, Any] = {"light_model": []} if kind == "Galaxy" else {}
    return {"type": kind, "name": name, "redshift": redshift, "mass_model": profiles, **light}


def _source_light(pixels: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "PixelatedRegularGrid", "parameters": {"pixels": dict(pixels)}}


def _beyond(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """What the standard has no profile for."""
    multipoles = {name: value["value"] for name, value in numbers["lens"].items() if name.startswith("multipole")}
    return {"multipoles": multipoles, "masses": numbers["masses"]}
