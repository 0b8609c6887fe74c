"""The pixel scale that a world coordinate system (WCS) states: FITS standard 4.0, section 8; Greisen & Calabretta 2002.

A WCS maps pixels linearly to intermediate coordinates, and these by a projection to the sky. The linear map is read in
all its forms: CDi_j, PCi_j with CDELTi, the old PC00i00j, CDELTi alone. CROTAi only turns square pixels. Distortions
(SIP, TPV, look-up tables) are left out: they are small, and may need other files. The projection is evaluated in the
middle of the image, because some projections stretch the sky away from their reference point.
"""

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_uppercase

import numpy as np
from astropy import units
from astropy.io import fits

from oddlens.observations.reading import header_cards

MAX_PIXEL_SCALE_ARCSEC = 10
"""Larger pixels cannot show a galaxy-scale lens."""
SQUARE_TOLERANCE = 0.01
"""Pixels are square if the scales along their longest and shortest direction differ by a smaller fraction."""
CELESTIAL = re.compile("(RA|DEC)($|-)|[A-Z](LON|LAT)|[A-Z]{2}(LN|LT)")
"""Types of axes (CTYPE) on the sky."""
NOT_ANGULAR = re.compile("FREQ|ENER|WAVN|VRAD|WAVE|VOPT|ZOPT|AWAV|VELO|BETA|STOKES|TIME|UTC|LAMBDA")
"""Types of axes that are no angles."""
AS_TAN = ("TPV", "TPD", "TPU", "TNX", "ZPX", "TAB", "NCP")
"""Codes of projections that are read as gnomonic (TAN): they differ by a distortion that is small near the reference
point, or by a look-up table."""
WITH_PARAMETERS = ("AZP", "SZP", "SIN", "ZPN", "AIR", "CYP", "CEA", "COP", "COE", "COD", "COO", "BON")
"""Codes of projections with parameters PVi_m. With TAN, as old headers have it, PVi_m are a distortion."""


@dataclass(frozen=True)
class StatedScale:
    """A pixel scale and what states it."""

    source: str
    arcsec: float
    assumed_unit: str = ""
    """The unit in which the number is taken to be, if it is not stated."""


@np.errstate(all="ignore")
def wcs_scales(header: fits.Header) -> list[StatedScale]:
    """The scales of the primary WCS, one for each form of its linear map; of an alternate one if the primary has none.

    Empty if no WCS states a scale: CDELT of 1 without the type and unit of the axes is a default.

    Raises:
        ValueError: if a WCS cannot be read, or if the pixels are not square or not on the sky.
    """
    numbers = _image_axes(header)
    scales = _scales(_ImageAxes(header, numbers, ""))
    for letter in ascii_uppercase if not scales else ():
        axes = _ImageAxes(header, numbers, letter)
        if all(CELESTIAL.match(name.upper()) for name in axes.texts("CTYPE")):
            return _scales(axes)
    return scales


def _image_axes(header: fits.Header) -> tuple[int, int]:
    """The numbers of the image's axes: the first two that have more than one pixel."""
    axes = [k for k in range(1, 10) if header.get(f"NAXIS{k}", 1) not in (0, 1)]
    return (axes[0], axes[1]) if len(axes) > 1 else (1, 2)


@dataclass(frozen=True)
class _ImageAxes:
    """The two axes of an image in the primary or an alternate WCS."""

    header: fits.Header
    numbers: tuple[int, int]
    alternate: str
    """A letter, or empty for the primary WCS."""

    def keys(self, keyword: str) -> list[str]:
        return [f"{keyword}{axis}{self.alternate}" for axis in self.numbers]

    def texts(self, keyword: str) -> list[str]:
        return [header_cards.text(self.header, key) for key in self.keys(keyword)]

    def cdelt(self) -> np.ndarray:
        """CDELT of both axes; 1 if it is not given. One that is given for one axis only holds for both."""
        given = [header_cards.number(self.header, key) if key in self.header else None for key in self.keys("CDELT")]
        known = [value for value in given if value is not None] or [1.0]
        return np.array([known[0], known[-1]])

    def matrix(self, pattern: str, default: np.ndarray) -> np.ndarray | None:
        """Terms [world axis, pixel axis] of keywords such as `CD{}_{}`; None if there is none of them.

        If the first diagonal term is the only one, it holds for both axes.
        """
        matrix, found = default.copy(), []
        for i, j in np.ndindex(2, 2):
            key = pattern.format(self.numbers[i], self.numbers[j]) + self.alternate
            if key in self.header:
                matrix[i, j] = header_cards.number(self.header, key)
                found.append((i, j))
        if found == [(0, 0)]:
            matrix[1, 1] = matrix[0, 0]
        return matrix if found else None

    def linear_maps(self) -> dict[str, np.ndarray]:
        """The linear map [world axis, pixel axis], in the units of the axes, by the keywords that state it.

        Beside CD, CDELT must be ignored (the standard, section 8.1.2), and a unit matrix of PC is a dummy.
        """
        cdelt = self.cdelt()
        maps = {"CD": self.matrix("CD{}_{}", np.zeros((2, 2)))}
        for pattern in ("PC{}_{}", "PC{:03}{:03}"):
            if (turn := self.matrix(pattern, np.eye(2))) is not None:
                maps["PC and CDELT"] = cdelt[:, None] * turn
        if not [matrix for matrix in maps.values() if matrix is not None]:
            maps["CDELT"] = np.diag(cdelt) if any(key in self.header for key in self.keys("CDELT")) else None
        stated = {name: matrix for name, matrix in maps.items() if matrix is not None}
        return {name: matrix for name, matrix in stated.items() if not _is_default(matrix)} or stated


def _is_default(matrix: np.ndarray) -> bool:
    return np.array_equal(np.abs(matrix), np.eye(2))


def _scales(axes: _ImageAxes) -> list[StatedScale]:
    types, unit_names, maps = [name.upper() for name in axes.texts("CTYPE")], axes.texts("CUNIT"), axes.linear_maps()
    celestial = [bool(CELESTIAL.match(name)) for name in types]
    if not any(celestial) and _counts_pixels(types, unit_names, maps):
        return []
    if not maps:
        raise ValueError(f"CTYPE is {' and '.join(types)}, but neither CD nor CDELT is given")
    if any(celestial) != all(celestial) or any(NOT_ANGULAR.match(name) for name in types):
        raise ValueError(f"the axes of the image are {' and '.join(name or 'unnamed' for name in types)}, not the sky")
    default = "arcsec" if "GS_WCS" in axes.header else "deg"  # GalSim writes arcsec without a unit
    arcsec = np.array([_arcsec(name or default) for name in unit_names])
    if all(celestial) and (arcsec == 3600).all() and all(_is_default(matrix) for matrix in maps.values()):
        raise ValueError(f"{' and '.join(maps)} is 1 degree, the default of a WCS without a scale")
    assumed = "" if all(unit_names) or default == "arcsec" else default
    scales = []
    for name, matrix in maps.items():
        steps = arcsec[:, None] * matrix  # [world axis, pixel axis]
        lengths = np.linalg.svd(steps, compute_uv=False)
        if not lengths[1] > 1e-6 * lengths[0]:
            raise ValueError(f"{name} of the header is zero or singular: it gives no pixel scale")
        if all(celestial) and lengths.max() < MAX_PIXEL_SCALE_ARCSEC:
            lengths = np.linalg.svd(_on_sky(axes, types, steps), compute_uv=False)
        if lengths[0] > (1 + SQUARE_TOLERANCE) * lengths[1]:
            sides = f"{lengths[1]:.4g} x {lengths[0]:.4g}"
            raise ValueError(
                f"the pixels are not square but {sides} arcsec by {name} of the header: resample the image"
            )
        scale = float(f"{np.sqrt(lengths.prod()):.7g}")  # rounding errors of the projection are below
        scales.append(StatedScale(f"the WCS ({name})", scale, assumed))
    return scales


def _counts_pixels(types: list[str], unit_names: list[str], maps: dict[str, np.ndarray]) -> bool:
    """Whether coordinates that are not on the sky only count pixels, so that they state no scale."""
    in_pixels = "PIXEL" in types or all(re.fullmatch("pix(el)?s?", name, re.IGNORECASE) for name in unit_names)
    default = not any(unit_names) and all(_is_default(matrix) for matrix in maps.values())
    return in_pixels or default or not maps


def _arcsec(unit: str) -> float:
    """A unit of CUNIT in arcsec, also in capitals or the plural.

    Raises:
        ValueError: if it is unknown or no angle.
    """
    for spelling in (unit, unit.lower(), unit.lower().rstrip("s")):
        try:
            return float(units.Unit(spelling).to(units.arcsec))
        except (ValueError, TypeError):
            continue
    raise ValueError(f"CUNIT is '{unit}': it must be an angle such as deg, arcsec or mas")


def _on_sky(axes: _ImageAxes, types: list[str], steps: np.ndarray) -> np.ndarray:
    """The steps on the sky, arcsec [x y z, pixel axis], of one pixel in the middle of the image.

    They depend on where the middle is in the projection, and not on where the reference point is on the sky.
    """
    codes = ["TAN" if name[5:8] in ("", *AS_TAN) else name[5:8] for name in types]
    projection: dict[str, str | float] = {}
    middle = []
    for i, axis in enumerate(axes.numbers):
        crpix, names = 0.0, {f"PV{axis}_{m}{axes.alternate}": f"PV{i + 1}_{m}" for m in range(30)}
        if (key := f"CRPIX{axis}{axes.alternate}") in axes.header:
            crpix = header_cards.number(axes.header, key)
        middle.append((axes.header.get(f"NAXIS{axis}", 2 * crpix - 1) + 1) / 2)
        projection |= {f"CTYPE{i + 1}": f"{types[i][:4]:-<4}-{codes[i]}", f"CRPIX{i + 1}": crpix}
        projection |= {f"CD{i + 1}_{j + 1}": steps[i, j] / 3600 for j in (0, 1)}
        for key in names.keys() & axes.header.keys() if codes[i] in WITH_PARAMETERS else ():
            projection[names[key]] = header_cards.number(axes.header, key)
    return _steps_on_sky(tuple(projection.items()), (middle[0], middle[1]))


@lru_cache(maxsize=64)
def _steps_on_sky(projection: tuple[tuple[str, str | float], ...], middle: tuple[float, float]) -> np.ndarray:
    """The steps of one pixel at a place of a projection; equal for most images of a sample."""
    from astropy.wcs import WCS  # half a second

    try:
        with warnings.catch_warnings(action="ignore"):
            wcs = WCS(fits.Header(dict(projection)))
            ends = wcs.wcs_pix2world(np.array(middle) + 0.5 * np.array([[-1, 0], [1, 0], [0, -1], [0, 1]]), 1)
    except Exception as error:  # astropy raises errors of many types
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise ValueError(f"the WCS of the header cannot be read ({reason})") from error
    longitude, latitude = np.radians(ends[:, [wcs.wcs.lng, wcs.wcs.lat]]).T
    unit = np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])
    if not np.isfinite(unit).all():
        raise ValueError("the image lies outside of the projection of its WCS: CRPIX or CD is wrong")
    return np.degrees(unit[:, 1::2] - unit[:, ::2]) * 3600
