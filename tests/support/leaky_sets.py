"""Data sets of the user's own images as shards, with planted leaks."""

import numpy as np

from oddlens.data import shards
from oddlens.files.artefacts import read_table
from oddlens.stages.leaks import leaks

PIXELS = 32
SIZES = {("train", "smooth"): 120, ("validation", "smooth"): 40, ("test", "smooth"): 50, ("test", "odd"): 50}
SIZES |= {("contaminant", "odd"): 30}


def lenses(count, rng, pixels=PIXELS):
    """Rings of many shapes, without noise, [count, pixels, pixels]; the brightest pixel is about 1."""
    y, x = np.mgrid[:pixels, :pixels] - (pixels - 1) / 2
    place = rng.uniform(-0.08, 0.08, (2, count, 1, 1)) * pixels
    dy, dx = y - place[0], x - place[1]
    angle, radius = np.arctan2(dy, dx), rng.uniform(0.2, 0.32, (count, 1, 1)) * pixels
    arcs = 1 + sum(
        rng.normal(0, 0.7 / m, (count, 1, 1)) * np.cos(m * angle + rng.uniform(0, 6.3, (count, 1, 1)))
        for m in range(1, 6)
    )
    width = rng.uniform(0.04, 0.08, (count, 1, 1)) * pixels
    return np.clip(arcs, 0, None) * np.exp(-0.5 * ((np.hypot(dy, dx) - radius) / width) ** 2)


def noisy(clean, rng, sigma=0.03):
    return (clean + rng.normal(0, sigma, clean.shape)).astype(np.float32)


class LeakySet:
    """Shards in memory, by pool and class, that are as they should be until a test changes them."""

    def __init__(self, seed=0, sizes=SIZES, pixels=PIXELS):
        rng = np.random.default_rng(seed)
        self.rng, self.arrays, first = rng, {}, 0
        for (pool, cls), count in sizes.items():
            names = [f"{pool}/{cls}/{k}.fits" for k in range(count)]
            self.arrays[pool, cls] = {
                "images": noisy(lenses(count, rng, pixels), rng),
                "index": np.arange(count),
                "truth/lens": np.arange(first, first + count, dtype=float),
                "truth/seeing": rng.normal(1, 0.1, count),
                "sheet/file": np.array(names, np.bytes_),
                "sheet/object": np.array([""] * count, np.bytes_),
                "sheet/tile": np.array([f"t{k}" for k in rng.integers(0, 6, count)], np.bytes_),
                "container/bytes": np.full(count, 8640.0),
                "container/height": np.full(count, float(pixels)),
                "container/modified": 1.7e9 + rng.uniform(0, 1e6, count),
                "container/nan_fraction": np.zeros(count),
                "container/suffix": np.array([".fits"] * count, np.bytes_),
                "container/dtype": np.array(["float64"] * count, np.bytes_),
            }
            first += count

    def __getitem__(self, group):
        return self.arrays[group]

    def find(self, folder, nuisance=()):
        """The table of leaks."""
        paths = []
        for (pool, cls), arrays in self.arrays.items():
            paths.append(folder / "shards" / "mine" / pool / cls / "000.h5")
            about = {"dataset": "mine", "pool": pool, "class": cls, "seed": 1}
            shards.write(paths[-1], shards.Shard(arrays, about))
        leaks(folder / "leaks.csv", paths, dataset="mine", smooth="smooth", nuisance=nuisance)
        return read_table(folder / "leaks.csv", "leaks")[0]


def found(table, severity=None):
    """The kind, check and groups of what was found."""
    chosen = table[table["severity"] == severity] if severity else table[table["severity"] != "none"]
    return sorted(chosen[["kind", "check", "compared"]].itertuples(index=False, name=None))
