"""Arrays and facts as text inside a page."""

import base64
import json
from typing import Any

import numpy as np
from markupsafe import Markup


def packed(array: np.ndarray) -> str:
    """The bytes of an array, little-endian and row by row, as base64."""
    return base64.b64encode(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()).decode()


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
