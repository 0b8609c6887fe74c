"""tmp"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from astropy.io import fits

MAX_PIXEL_SCALE_ARCSEC = 10
SCALE_TOLERANCE = 0.01
SCALE_HELP = (
    "Give --pixel-scale in arcsec, or PIXSCALE (arcsec), CD1_1 or CDELT1 (degrees) in the header, or "
    '{"pixel_scale": ...} (arcsec) in info.json beside it'
)


def pixel_scale(path: Path, header: Mapping[str, Any], override: float | None) -> float | None:
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
