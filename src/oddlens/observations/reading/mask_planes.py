"""The pixels that a mask forbids: those of a plain mask, or of the planes of a bit mask that mean "do not use".

A plain mask is 0 where a pixel may be used. In a bit mask each bit is a plane, and most planes only inform: DETECTED is
set on every object. Planes are known by their names in the header (Rubin, HSC, Pan-STARRS) or by the telescope.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.io import fits

RUBIN_UNUSABLE = (
    *("BAD", "SAT", "SUSPECT", "CR", "EDGE", "NO_DATA", "UNMASKEDNAN"),
    *("VIGNETTED", "STREAK", "SPIKE", "ITL_DIP"),
)
"""Planes of the Rubin and HSC pipelines (cards MP_*) whose pixels must not be used (https://dp1.lsst.io, mask planes).

SUSPECT is above the range of the linearity correction. CR of a coadd is set where one exposure had a cosmic ray."""
RUBIN_USABLE = (
    *("INTRP", "DETECTED", "DETECTED_NEGATIVE", "NOT_DEBLENDED", "BRIGHT_OBJECT", "HIGH_VARIANCE"),
    *("CLIPPED", "REJECTED", "SENSOR_EDGE", "INEXACT_PSF", "CROSSTALK", "PARTLY_VIGNETTED"),
    *("FAKE", "INJECTED", "INJECTED_CORE", "INJECTED_TEMPLATE", "SAT_TEMPLATE"),
)
"""Planes of the Rubin and HSC pipelines that only inform.

INTRP is set on most pixels of a deep coadd; what was interpolated in a single exposure is also BAD, SAT or CR. CLIPPED,
REJECTED, SENSOR_EDGE and INEXACT_PSF say that some exposures are missing, CROSSTALK that it was subtracted."""

DO_NOT_USE = 1
"""Bit 0 of JWST and Roman (DO_NOT_USE; jwst-pipeline.readthedocs.io, data quality flags) and of Euclid (INVALID: "shall
not be used for anything"; Euclid data product description, VIS flag map). Their other bits are reasons, or inform."""
DO_NOT_USE_TELESCOPES = ("JWST", "ROMAN", "EUCLID")
HST_USABLE = 64
"""Flag of ACS and WFC3 that only informs: warm pixel (data handbooks; calacs and calwf3 have the same bits)."""
HST_IR_USABLE = 64 | 512 | 2048
"""The same for WFC3/IR: warm pixel, blob in the flat field, signal in the zero read that was corrected."""
HST_INSTRUMENTS = ("", "ACS", "WFC3")
"""Those that have these flags. Those of WFPC2, NICMOS and STIS differ."""
DES_UNUSABLE = 1 | 2 | 8 | 16 | 64 | 128 | 256 | 512 | 1024
"""Flags of the Dark Energy Survey (units MSK; mask_bits.h of despyfits): bad pixel, saturated, bad amplifier, cosmic
ray, bleed trail, edge bleed, crosstalk, edge, streak. INTERP 4, STAR 32, SUSPECT 2048 ("nominally useful"), FIXED 4096,
NEAREDGE 8192 and TAPEBUMP 16384 only inform."""
FLAG_UNITS = ("DQ", "DQI", "FLAG", "FLAGS", "FLG")
"""Names, or parts of names, of units with the flags of a telescope."""
ALL_BITS = (-1, 2**8 - 1, 2**16 - 1, 2**32 - 1)
"""Values of a plain mask instead of 1: true in all bits."""
REMEDY = "give a mask of 0 (use) and 1 (do not use) by --mask, or by the column mask of an index"


def unusable(mask: np.ndarray, header: Mapping[str, Any], name: str) -> np.ndarray:
    """Whether the pixels of a mask must not be used, bool [h, w].

    Args:
        mask: [h, w], numbers or booleans. NaN is not to be used.
        header: of the mask, or empty. TELESCOP and INSTRUME, which often are in the primary header only, tell whose
            flags a unit DQ has.
        name: of the unit or file, for errors and to recognise flags.

    Raises:
        ValueError: if the mask is a bit mask whose planes are unknown, or can be read in two ways.
    """
    if mask.dtype == bool:
        return mask.copy()
    if not np.issubdtype(mask.dtype, np.number) or np.iscomplexobj(mask):
        raise ValueError(f"{name}: the mask holds {mask.dtype}, not real numbers: {REMEDY}")
    if np.isinf(mask).any():
        raise ValueError(f"{name}: the mask has infinite values: {REMEDY}")
    missing = np.isnan(mask)
    values = np.where(missing, 0, mask)
    bits = _as_bits(values)
    if bits is not None and (forbidden := _forbidden_bits(bits, mask.dtype, header, name)) is not None:
        return (bits & np.uint64(forbidden)).astype(bool) | missing
    return _plain(values, name) | missing


def _plain(mask: np.ndarray, name: str) -> np.ndarray:
    """Where a plain mask is not 0."""
    nonzero = np.unique(mask[mask != 0])
    if not ((nonzero > 0) & (nonzero <= 1)).all() and not (len(nonzero) == 1 and nonzero[0] in ALL_BITS):
        shown = ", ".join(f"{value:g}" for value in nonzero[:5]) + (", ..." if len(nonzero) > 5 else "")
        raise ValueError(
            f"{name}: the mask has values {shown}. They may be bits, weights or numbers of objects, which the header "
            f"does not say (by cards MP_*, or TELESCOP and INSTRUME of a unit DQ): {REMEDY}"
        )
    return mask != 0


def _as_bits(values: np.ndarray) -> np.ndarray | None:
    """Whole numbers as uint64, negative ones by the bits of their type; None if they are no whole numbers."""
    if np.issubdtype(values.dtype, np.integer):
        return values.astype(f"u{values.dtype.itemsize}").astype(np.uint64)
    if (values != np.floor(values)).any() or (np.abs(values) > 2**53).any():
        return None
    return values.astype(np.int64).astype(np.uint64)


def _forbidden_bits(bits: np.ndarray, dtype: np.dtype, header: Mapping[str, Any], name: str) -> int | None:
    """The bits that must not be set in a usable pixel; None if the planes are unknown.

    Raises:
        ValueError: if the header names planes, but not all that are set.
    """
    if planes := {key[3:].upper(): _card(header, key, name) for key in header if key.upper().startswith("MP_")}:
        return _rubin_bits(int(np.bitwise_or.reduce(bits, axis=None)), planes, name)
    for key in header:
        if re.fullmatch(r"MSKNAM\d\d", key) and _card(header, key, name) == "MASK.VALUE":
            return _whole(_card(header, key.replace("NAM", "VAL"), name), f"{name}: {key}")  # Pan-STARRS: all unusable
    extension, telescope, instrument, detector = (
        str(_card(header, key, name) or "").strip().upper() for key in ("EXTNAME", "TELESCOP", "INSTRUME", "DETECTOR")
    )
    words = set(re.split("[^A-Z]+", f"{name} {extension}".upper()))
    if "MSK" in words and "DECAM" in instrument:
        return DES_UNUSABLE
    if not words.intersection(FLAG_UNITS):
        return None
    if telescope in DO_NOT_USE_TELESCOPES or (not telescope and dtype == np.uint32):  # JWST's type
        return DO_NOT_USE
    if telescope == "HST" and instrument in HST_INSTRUMENTS:
        return (2**64 - 1) & ~(HST_IR_USABLE if detector == "IR" else HST_USABLE)
    return None


def _rubin_bits(present: int, planes: Mapping[str, Any], name: str) -> int:
    """The unusable bits, by the numbers of the planes' bits.

    Raises:
        ValueError: if a bit that is present has no plane, or one of unknown meaning.
    """
    numbers = {plane: _whole(bit, f"{name}: MP_{plane}") for plane, bit in planes.items()}
    strange = [f"bit {bit}" for bit in range(64) if present >> bit & 1 and bit not in numbers.values()]
    for plane, bit in numbers.items():
        if present >> bit & 1 and plane not in RUBIN_UNUSABLE + RUBIN_USABLE:
            strange.append(f"{plane} (bit {bit})")
    if strange:
        raise ValueError(f"{name}: it is not known whether pixels with {', '.join(strange)} may be used: {REMEDY}")
    return sum({1 << bit for plane, bit in numbers.items() if plane in RUBIN_UNUSABLE})


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise ValueError(f"{what} is {value!r}: it must be a whole number. Or {REMEDY}")
    return value


def _card(header: Mapping[str, Any], key: str, name: str) -> Any:
    try:
        return header.get(key)
    except fits.VerifyError as error:
        raise ValueError(f"{name}: the card {key} of the header cannot be read") from error
