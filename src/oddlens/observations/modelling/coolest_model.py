"""A fit in the COOLEST standard (Galan et al. 2023, JOSS 8, 5567), which lenstronomy, Herculens and VKL read.

Position angles of COOLEST are counter-clockwise from +y, and its shear angle is that of the stretch. It has no
multipoles and perturbers: those are in its `meta`. The light of the lens galaxy is left out. Its images are FITS files
beside the JSON file, and the lens is its origin.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from oddlens import __version__
from oddlens.lensing.cosmology import COSMOLOGY

IMAGE, NOISE, PSF, SOURCE = "image.fits", "noise.fits", "psf.fits", "source.fits"
"""Files that the model names."""


class Shapes(NamedTuple):
    """Shapes of images, [h, w]."""

    image: tuple[int, ...]
    psf: tuple[int, ...]
    source: tuple[int, ...]


def coolest(numbers: Mapping[str, Any], shapes: Shapes) -> dict[str, Any]:
    """The model with the numbers of a fit (`FrameResult.numbers`) as COOLEST."""
    scale, shape = numbers["frame"]["pixel_scale_arcsec"], shapes.image
    redshifts = numbers.get("redshifts", {"lens": None, "source": None})
    row, column = numbers["frame"]["centre_row_column"]
    left, top = (-column - 0.5) * scale, (row + 0.5) * scale
    field = [left, left + shape[1] * scale], [top - shape[0] * scale, top]
    half = [-shapes.psf[0] * scale / 2, shapes.psf[0] * scale / 2]
    psf = {"type": "PixelatedPSF", "description": "as given", "pixels": _pixels(PSF, shapes.psf, half, half)}
    noise = {"type": "NoiseMap", "noise_map": _pixels(NOISE, shape, *field)}
    return {
        "standard": "COOLEST",
        "mode": "MAP",
        "coordinates_origin": {"ra": "0deg", "dec": "0deg"},
        "cosmology": {"H0": COSMOLOGY.H0.value, "Om0": COSMOLOGY.Om0, "astropy_name": "FlatLambdaCDM"},
        "instrument": {"name": "unknown", "pixel_size": scale, "psf": psf},
        "observation": {"pixels": _pixels(IMAGE, shape, *field), "noise": noise},
        "lensing_entities": [
            _entity("MassField", "external shear", redshifts["lens"], mass={"ExternalShear": _shear(numbers["lens"])}),
            _entity("Galaxy", "lens galaxy", redshifts["lens"], mass={"PEMD": _halo(numbers["lens"])}),
            _entity("Galaxy", "source galaxy", redshifts["source"], light=[_source_light(numbers, shapes.source)]),
        ],
        "meta": {"software": f"oddlens {__version__}", "name": numbers["name"], "beyond_coolest": _beyond(numbers)},
    }


def _halo(lens: Mapping[str, Any]) -> dict[str, float]:
    return {
        "gamma": lens["slope"]["value"],
        "theta_E": lens["einstein_radius"]["value"],
        "q": lens["axis_ratio"],
        "phi": _from_y(lens["angle_deg"]),
        "center_x": lens["centre_x"]["value"],
        "center_y": lens["centre_y"]["value"],
    }


def _shear(lens: Mapping[str, Any]) -> dict[str, float]:
    first, second = (lens[f"shear_{part}"]["value"] for part in (1, 2))
    return {"gamma_ext": math.hypot(first, second), "phi_ext": _from_y(math.degrees(0.5 * math.atan2(second, first)))}


def _from_y(angle_deg: float) -> float:
    """An angle from +x as one from +y, in (-90, 90]."""
    angle = (angle_deg - 90) % 180
    return angle - 180 if angle > 90 else angle


def _pixels(file: str, shape: tuple[int, ...], x: Sequence[float], y: Sequence[float]) -> dict[str, Any]:
    """An image [h, w] from edge to edge, arcsec."""
    numbers = {"num_pix_x": shape[1], "num_pix_y": shape[0]}
    return {"fits_file": {"path": file}, "field_of_view_x": list(x), "field_of_view_y": list(y), **numbers}


def _entity(
    kind: str, name: str, redshift: float | None, mass: Mapping[str, Any] | None = None, light: Sequence[Any] = ()
) -> dict[str, Any]:
    profiles = [
        {"type": profile, "parameters": {key: {"point_estimate": {"value": value}} for key, value in own.items()}}
        for profile, own in (mass or {}).items()
    ]
    lights = {"light_model": list(light)} if kind == "Galaxy" else {}
    return {"type": kind, "name": name, "redshift": redshift, "mass_model": profiles, **lights}


def _source_light(numbers: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    """The source, whose samples reach from the first to the last node."""
    edges = {}
    for axis in ("x", "y"):
        first, last = numbers["source"][f"{axis}_arcsec"]
        half = (last - first) / (shape[0] - 1) / 2
        edges[axis] = [first - half, last + half]
    pixels = _pixels(SOURCE, shape, edges["x"], edges["y"])
    return {"type": "PixelatedRegularGrid", "parameters": {"pixels": pixels}}


def _beyond(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """What the standard has no profile for."""
    multipoles = {name: value["value"] for name, value in numbers["lens"].items() if name.startswith("multipole")}
    return {"multipoles": multipoles, "masses": numbers["masses"]}
