"""Arrays and facts as text inside a page."""

import base64
import json
import zlib
from typing import Any

import numpy as np
from markupsafe import Markup


def packed(array: np.ndarray) -> str:
    """The numbers of an array, little-endian and row by row, compressed.

    The first bytes of all numbers come first, then the second ones, and so on: the last bytes of floats, which hold
    sign and exponent, are much alike.
    """
    numbers = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1)
    return compressed(numbers.view(np.uint8).reshape(len(numbers), numbers.itemsize).T.tobytes())


def compressed(content: bytes) -> str:
    """Bytes, compressed in zlib's format, as base64."""
    return base64.b64encode(zlib.compress(content, 9)).decode()


def packed_scores(values: np.ndarray) -> dict[str, Any]:
    """Scores [models, images] with the number of their bits: 32 if these tell apart all scores of each model, else 64.

    Rounding keeps the order of different numbers, so counts above a threshold stay exact as long as none become equal.
    """
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    exact = all(len(np.unique(a)) == len(np.unique(b)) for a, b in zip(values, single, strict=True))
    exact &= bool(np.isfinite(single).sum() == np.isfinite(values).sum())
    return {"bits": 32 if exact else 64, "scores": packed(single if exact else values.astype(np.float64))}


def as_json(facts: Any) -> Markup:
    """Facts as JSON inside a `<script>`, which no text among them can end. NaN is null.

    Raises:
        TypeError: if a fact has no JSON.
    """
    text = json.dumps(_without_nan(facts), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def _without_nan(facts: Any) -> Any:
    if isinstance(facts, dict):
        return {str(key): _without_nan(value) for key, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [_without_nan(value) for value in facts]
    if isinstance(facts, np.generic):
        facts = facts.item()
    return None if isinstance(facts, float) and not np.isfinite(facts) else facts
