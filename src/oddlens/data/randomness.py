"""Seeds: every random number comes from a master seed and the name of its purpose.

A name is any sequence of strings and integers, for instance
``(seed, "simulate", "model_a", "test", "noise", 17)``. Its SHA-256 seeds a generator. A stream is therefore independent
of the order of work, of the number of shards and cores, and of all other streams.
"""

import hashlib
import json

import numpy as np


def _digest(seed: int, names: tuple[str | int, ...]) -> bytes:
    return hashlib.sha256(json.dumps([seed, *names]).encode()).digest()


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator that depends on the seed and the name only."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(_digest(seed, names), "big")))


def torch_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for `torch.Generator` that depends on the seed and the name only."""
    return int.from_bytes(_digest(seed, names)[:8], "big") >> 1
