"""Toy images: rings, some of which have gaps."""

import numpy as np

PIXELS = 16
NOISE = 0.03


def toy(count, odd=0.0, seed=0, model=False, gaps=1):
    """Rings of varying radius and brightness; a fraction has a gap or more, its flux spread over the rest."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:PIXELS, :PIXELS] - (PIXELS - 1) / 2
    radius = rng.uniform(4, 6, (count, 1, 1))
    ring = np.exp(-0.5 * ((np.hypot(y, x) - radius) / 1.2) ** 2) * rng.uniform(0.8, 1.2, (count, 1, 1))
    angle = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    gap = np.cos(gaps * (np.arctan2(y, x) - angle)) > 0.7
    broken = ring * ~gap
    broken *= ring.sum((1, 2), keepdims=True) / broken.sum((1, 2), keepdims=True)
    chosen = np.arange(count)[:, None, None] < odd * count
    seen = (np.where(chosen, broken, ring) + rng.normal(0, NOISE, ring.shape)).astype(np.float32)
    return (seen, ring.astype(np.float32)) if model else seen
