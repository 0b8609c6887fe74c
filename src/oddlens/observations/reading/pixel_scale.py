"""The pixel scale of a FITS image, from all that its header and info.json say of it.

A header states the scale by a world coordinate system (WCS), by keywords that instruments and simulators write, or by
several of these. All that is stated must agree; what is stated and cannot be read is an error. The scale is unknown
only if nothing is stated.
"""

import json
import re
from functools import lru_cache
from pathlib import Path

from astropy.io import fits

from oddlens.lensing.grids import SCALE_TOLERANCE
from oddlens.observations.reading import header_cards
from oddlens.observations.reading.wcs_scale import MAX_PIXEL_SCALE_ARCSEC, StatedScale, wcs_scales

CARD_BYTES = 80
MIN_UNITLESS_ARCSEC = 0.001
"""A smaller scale is believed only if its unit is stated: a number without a unit may be in degrees."""
SCALE_HELP = (
    "Give --pixel-scale in arcsec, or PIXSCALE (arcsec) or a WCS (CD or CDELT, in degrees or the unit CUNIT) in the "
    'header, or {"pixel_scale": ...} (arcsec) in info.json beside it'
)

SCALE_KEYWORDS = (
    *("PIXSCALE", "PIXELSCALE", "PIXEL_SCALE", "PIX_SCALE", "PIXSCAL"),  # common; the long ones are HIERARCH cards
    *("PIXSCAL1", "PIXSCAL2", "PXSCAL1", "PXSCAL2"),  # CFHT, DECam; Spitzer, WISE
    *("SECPIX", "SECPIX1", "SECPIX2", "SECPPIX"),  # NOAO and WCSTools; Isaac Newton Group
    *("PIXELSCL", "GS_SCALE", "PIXSCAX", "PIXSCAY"),  # STPSF and POPPY; GalSim; PyAutoLens
)
"""Keywords of the scale in arcsec per pixel, unless the comment of the card states another unit.

PIXAR_A2 of JWST is left out: it is a nominal area for photometry, whose root differs by more than the tolerance."""
SIZE_KEYWORDS = ("PIXSIZE", "PIXSIZE1", "PIXSIZE2")
"""Keywords of the scale in simulations, but of the detector's pixels in micrometres in MegaCam, DECam and others. They
count only if the comment of the card states an angle."""
SIGNED = re.compile("(PXSCAL|PIXSCAL|SECPIX)[12]")
"""Keywords of one axis. They may have the sign of CDELT."""
COMMENT_UNITS = {
    r"\bmas\b|milli-?arc": 0.001,
    r"arc-?sec|\basec|\"": 1.0,
    r"\bdeg(ree)?s?\b": 3600.0,
    r"micro|\bum\b|\bmm\b|\bAU\b|\bk?pc\b": 0.0,
}
"""Units in comments of cards, in arcsec; 0 for those that are no angle."""
OTHER_UNITS = {"arcsec": {"mas": 0.001, "deg": 3600.0}, "deg": {"arcsec": 1 / 3600}}
"""Units in which a number may be whose unit is assumed, in the assumed unit."""
SCALE_CARDS = re.compile(
    "|".join([r"NAXIS|C(TYPE|UNIT|RPIX|DELT)|(CD|PC|PV)\d|GS_|HIERARCH", *SCALE_KEYWORDS, *SIZE_KEYWORDS]).encode()
)
"""Beginnings of all cards from which a scale may follow."""
INFO_FILE = "info.json"
"""The file beside an image that may state its scale."""
INFO_KEYS = ("pixel_scale", "pixel_scale_arcsec", "pixel_scales")


def pixel_scale(
    path: Path,
    header: fits.Header,
    override: float | None,
    primary: fits.Header | None = None,
    cards: tuple[bytes, bytes] | None = None,
) -> float | None:
    """Arcsec per pixel: the override, or the scale that header and info.json state; None if they state none.

    Args:
        path: of the file, beside which info.json may lie.
        header: of the image.
        primary: of the file. It counts only if `header` states no scale.
        cards: `scale_cards` of both headers. Most images of a sample have equal ones, which are then read once.

    Raises:
        ValueError: if scales contradict each other, cannot be read, or are those of pixels that are not square.
    """
    if override is not None:
        return override
    try:
        scales = stated_scales(path, header, primary, cards)
        sizes = [scale.arcsec for scale in scales]
        if len(sizes) > 1 and max(sizes) > (1 + SCALE_TOLERANCE) * min(sizes):
            values = ", ".join(f"{scale.source} {scale.arcsec:.4g} arcsec" for scale in scales)
            raise ValueError(f"the pixel scales disagree: {values}")
        for scale in scales:
            _check(scale)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path}: {reason}. Choose the scale by --pixel-scale in arcsec, or by pixel_scale_arcsec in an index"
        ) from error
    return sizes[0] if sizes else None


def stated_scales(
    path: Path, header: fits.Header, primary: fits.Header | None = None, cards: tuple[bytes, bytes] | None = None
) -> list[StatedScale]:
    """All scales that header and info.json state, those of the WCS first; for the arguments see `pixel_scale`.

    A keyword whose value agrees with the others only in another unit is named with that unit: `PIXSCALE (mas)`.

    Raises:
        ValueError: if one of them cannot be read. Whether they agree and are usual is not checked.
    """
    stated = _header_scales(header, primary) if cards is None else list(_card_scales(*cards))
    return stated + _info_scales(path.with_name(INFO_FILE))


def scale_cards(header: bytes) -> bytes:
    """The cards of a header from which a scale may follow, as they are in the file."""
    kept: list[bytes] = []
    follows = False
    for start in range(0, len(header), CARD_BYTES):
        card = header[start : start + CARD_BYTES]
        follows = bool(SCALE_CARDS.match(card)) or (follows and card.startswith(b"CONTINUE"))
        if follows:
            kept.append(card)
    return b"".join(kept)


@lru_cache(maxsize=64)
def _card_scales(cards: bytes, primary: bytes) -> tuple[StatedScale, ...]:
    return tuple(_header_scales(fits.Header.fromstring(cards), fits.Header.fromstring(primary)))


def _header_scales(header: fits.Header, primary: fits.Header | None = None) -> list[StatedScale]:
    """The scales that a header states, or else that the primary header does."""
    scales = wcs_scales(header)
    for key in (*SCALE_KEYWORDS, *SIZE_KEYWORDS):
        if key in header and (scale := _keyword_scale(header, key, scales)) is not None:
            scales = [*scales, scale]
    return scales if scales or primary is None else _header_scales(primary)


def _keyword_scale(header: fits.Header, key: str, others: list[StatedScale]) -> StatedScale | None:
    """The scale that a keyword states; None if it is the size of the detector's pixels.

    Without a stated unit it is arcsec, or another unit in which it agrees with the first of the others.
    """
    value, comment = header_cards.number(header, key), header.comments[key].strip()
    value = abs(value) if SIGNED.fullmatch(key) else value
    unit = next((u for pattern, u in COMMENT_UNITS.items() if re.search(pattern, comment, re.IGNORECASE)), None)
    if key in SIZE_KEYWORDS and (unit == 0 or (unit is None and others)):
        return None
    if unit == 0 or (unit is None and key in SIZE_KEYWORDS):
        raise ValueError(f"{key} is {value:g} ({comment or 'without a unit'}), which may be no angle")
    if unit is not None:
        return StatedScale(f"{key} = {value:g} ({comment})", value * unit)
    if others and not _equal(value, others[0].arcsec):
        for name, other_unit in OTHER_UNITS["arcsec"].items():
            if _equal(value * other_unit, others[0].arcsec):
                return StatedScale(f"{key} ({name})", value * other_unit)
    return StatedScale(key, value, "arcsec")


def _equal(scale: float, other: float) -> bool:
    return abs(scale - other) <= SCALE_TOLERANCE * abs(other)


def _info_scales(info: Path) -> list[StatedScale]:
    """The scale in info.json, which need not be strict JSON: PyAutoLens writes NaN for what is unknown."""
    if not info.is_file():
        return []
    try:
        content = json.loads(info.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"info.json beside it cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"info.json beside it holds a {type(content).__name__}, not names and values")
    names = [(key, f"{key} of info.json") for key in INFO_KEYS if content.get(key) is not None]
    return [StatedScale(name, header_cards.finite(content[key], name), "arcsec") for key, name in names]


def _check(scale: StatedScale) -> None:
    """Raise a ValueError if no image of a lens has such a scale; it names a likely unit if the unit is not stated."""
    least = MIN_UNITLESS_ARCSEC if scale.assumed_unit == "arcsec" else 0
    if 0 < scale.arcsec < MAX_PIXEL_SCALE_ARCSEC and scale.arcsec >= least:
        return
    others = {name: scale.arcsec * unit for name, unit in OTHER_UNITS.get(scale.assumed_unit, {}).items()}
    likely = [f"; if it is in {name}, it is {size:.4g} arcsec" for name, size in others.items() if _usual(size)]
    raise ValueError(
        f"the pixel scale by {scale.source} is {scale.arcsec:g} arcsec, but it must be above {least:g} and below "
        f"{MAX_PIXEL_SCALE_ARCSEC}{''.join(likely)}"
    )


def _usual(arcsec: float) -> bool:
    return MIN_UNITLESS_ARCSEC <= arcsec < MAX_PIXEL_SCALE_ARCSEC
