"""The pixel scale in the attributes of an array."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from oddlens.observations.reading.wcs_scale import MAX_PIXEL_SCALE_ARCSEC

TRANSFORM = "transform_pix2angle"
"""The matrix from pixels to arcsec beside the images in files for lenstronomy."""
SCALE_NAMES = ("pixel_scale_arcsec", "pixel_scale", "pixscale", "deltapix", TRANSFORM)
"""Names of attributes, in lower case, that hold the pixel scale in arcsec."""


def pixel_scale(path: Path | str, attributes: Mapping[str, Any]) -> float | None:
    """The pixel scale in the attributes of an array, arcsec; None if they have none.

    Raises:
        ValueError: if it is no pixel scale, or if there are several that disagree.
    """
    scales = {}
    for name, value in attributes.items():
        if name.lower() in SCALE_NAMES:
            try:
                scales[name] = float(first(value))
            except (TypeError, ValueError, IndexError):
                scales[name] = math.nan
    wrong = {name: attributes[name] for name, scale in scales.items() if not 0 < scale < MAX_PIXEL_SCALE_ARCSEC}
    if wrong or (scales and not math.isclose(min(scales.values()), max(scales.values()), rel_tol=0.01)):
        found = " ".join(str(wrong or scales).split())
        raise ValueError(f"{path}: its pixel scale is unclear, {found}: give it in arcsec by --pixel-scale")
    return next(iter(scales.values()), None)


def first(value: Any) -> Any:
    """The value of an attribute; the first of a pair, as some files have [value, comment]. Bytes become text.

    Raises:
        IndexError: if it is empty.
    """
    item = np.ravel(value)[0]
    return item.decode() if isinstance(item, bytes) else item
