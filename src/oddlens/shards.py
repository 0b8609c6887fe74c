"""The schema of image shards (HDF5), in one place: write, read, verify.

images          float32 [n, pixels, pixels]   sky-subtracted, noisy; row 0 is the top (+y), column 0 the left (-x)
index           int64 [n]                     the image's number in its pool and class
psf             float64 [k, k]                where all images share one
truth/*         float64 [n]                   every drawn parameter and derived quantity; units are in the names
source/*        float64 [n, slots]            clumps of the source, where the world has any
substructure/*  float64 [n, ...]              what the class added
attributes      dataset, pool, class, seed, world (JSON), versions (JSON), units, pixel_scale_arcsec, axes, sha256, and
                pyautolens_disagreement_sigma: how far its first image lies from PyAutoLens's, at worst, in noise
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from oddlens.artefacts import DamagedFile, read_arrays, write_arrays

UNITS = "electrons / s / pixel"
AXES = "image, y (top to bottom), x (left to right)"


@dataclass(frozen=True)
class Shard:
    """Images in memory: arrays by the names of the schema (`truth/...`, `substructure/...`), and attributes."""

    arrays: dict[str, np.ndarray]
    attributes: dict[str, Any]

    @property
    def images(self) -> np.ndarray:
        """The images, float32 [n, pixels, pixels]."""
        return self.arrays["images"]

    def group(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of a group (`truth`, `source`, `substructure`) by their own names."""
        return {n.removeprefix(f"{name}/"): array for n, array in self.arrays.items() if n.startswith(f"{name}/")}

    def one(self, name: str, k: int) -> dict[str, np.ndarray]:
        """A group's values for image k."""
        return {column: array[k] for column, array in self.group(name).items()}


def write(path: Path | str, shard: Shard) -> None:
    """Write a shard; it carries its final name only when it is whole."""
    write_arrays(path, shard.arrays, **{**shard.attributes, "kind": "shard", "units": UNITS, "axes": AXES})


def read(path: Path | str) -> Shard:
    """Read and verify a shard.

    Raises:
        DamagedFile: if it is truncated, altered, or no shard.
    """
    arrays, attributes = read_arrays(path)
    if attributes.pop("kind", None) != "shard":
        raise DamagedFile(path, "it is HDF5, but no shard")
    return Shard(arrays, attributes)


def read_all(paths: list[str] | list[Path]) -> Shard:
    """Shards of one data set as one, in the order of `paths`.

    `images`, `index` and `truth/*` are stacked, `pool` and `class` become arrays. A truth that a class does not have
    (the length of a vortex, for a smooth lens) is zero. What else only some classes have is left out.
    """
    shards = [read(path) for path in paths]
    names = dict.fromkeys(n for s in shards for n in s.arrays if n in ("images", "index") or n.startswith("truth/"))
    arrays = {n: np.concatenate([s.arrays.get(n, np.zeros(len(s.images))) for s in shards]) for n in names}
    for name in ("pool", "class"):
        arrays[name] = np.concatenate([np.full(len(s.images), s.attributes[name], dtype=object) for s in shards])
    return Shard(arrays, {k: v for k, v in shards[0].attributes.items() if k not in ("pool", "class")})
