"""Numbers and texts of FITS header cards, which may be damaged, empty or given twice."""

import math
from typing import Any

from astropy.io import fits


def number(header: fits.Header, key: str) -> float:
    """The finite number of a card.

    Raises:
        ValueError: if it cannot be read or is none, or if cards with this keyword differ.
    """
    numbers = sorted({finite(value, key) for value in _values(header, key)})
    if len(numbers) > 1:
        raise ValueError(f"{key} is given several times: {', '.join(f'{value:g}' for value in numbers)}")
    return numbers[0]


def text(header: fits.Header, key: str) -> str:
    """The text of a card without spaces around it; empty if there is no such card or no value.

    Raises:
        ValueError: if it cannot be read.
    """
    value = _values(header, key)[0] if key in header else ""
    return "" if isinstance(value, fits.card.Undefined) else str(value).strip()


def finite(value: Any, name: str) -> float:
    """A value, also one in quotes, as a finite number.

    Raises:
        ValueError: if it is none.
    """
    try:
        converted = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        converted = math.nan
    if not math.isfinite(converted):
        shown = "empty" if value is None or isinstance(value, fits.card.Undefined) else repr(value)[:40]
        raise ValueError(f"{name} is {shown}: it must be a finite number")
    return converted


def _values(header: fits.Header, key: str) -> list[Any]:
    try:
        return [header[key, k] for k in range(header.count(key))]
    except (fits.VerifyError, KeyError, ValueError) as error:
        raise ValueError(f"the card {key} of the header cannot be read") from error
