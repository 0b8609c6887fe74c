"""Sums over slots: an image has some subhalos or clumps, and its arrays have room for the most that any has."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np


def accumulated(add: Callable, start: Any, slots: Sequence, used, xp: ModuleType, block: int = 8):
    """`start` after `add(total, *slot)` for the first `used` entries of the arrays `slots`, each [slots].

    Under JAX the number of slots visited is `used` rounded up to a block, whose loop is unrolled: an image with few
    subhalos costs less than one with many. The slots beyond `used` must add nothing.
    """
    if xp is np:
        for slot in zip(*(column[: int(used)] for column in slots), strict=True):
            start = add(start, *slot)
        return start
    import jax

    count = slots[0].shape[0]
    padded = [xp.pad(column, (0, -count % block)) for column in slots]

    def body(k, total):
        for j in range(block):
            total = add(total, *(column[k * block + j] for column in padded))
        return total

    return jax.lax.fori_loop(0, (used + block - 1) // block, body, start)


def last_used(weights, xp: ModuleType):
    """How many slots [slots] there are up to the last one that weighs anything."""
    return xp.max(xp.where(weights > 0, xp.arange(1, weights.shape[0] + 1), 0), initial=0)
