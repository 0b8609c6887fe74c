"""Sums over slots. Images have different numbers of subhalos or clumps; their arrays have as many slots as the image
with the most, and unused slots contribute nothing."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np


def accumulate(add: Callable, start: Any, slots: Sequence, used, xp: ModuleType, block: int = 8):
    """`start` after `add(total, *slot)` for the first `used` entries of the arrays `slots`, each [slots].

    Under JAX the loop visits `used` slots rounded up to whole blocks, and each block is unrolled, so that an image with
    few subhalos costs less than one with many. Slots beyond `used` must add nothing.
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


def used_slots(weights, xp: ModuleType):
    """The number of slots up to the last one with a positive weight; `weights` is [slots]."""
    return xp.max(xp.where(weights > 0, xp.arange(1, weights.shape[0] + 1), 0), initial=0)
