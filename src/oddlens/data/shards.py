"""The schema of image shards (HDF5), in one place: write, read, verify.

images          float32 [n, pixels, pixels]   sky-subtracted, noisy; row 0 is the top (+y), column 0 the left (-x)
index           int64 [n]                     the image's number in its pool and class
psf             float64 [k, k]                where all images share one
noise_free      float32 [n, pixels, pixels]   test and validation pools: what the image would be without noise
sigma           float32 [n, pixels, pixels]   likewise: the standard deviation of the noise of each pixel
truth/*         float64 [n]                   every drawn parameter and derived quantity; units are in the names
source/*        float64 [n, slots]            clumps of the source, where the simulation has any
substructure/*  float64 [n, ...]              what the class added
attributes      dataset, pool, class, seed, simulation (JSON), versions (JSON), units, pixel_scale_arcsec, axes, and
                pyautolens_disagreement_sigma: how far its first image lies from PyAutoLens's, at worst, in noise
in front        the SHA-256 of the HDF5, as text (`artefacts.SEAL`)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oddlens.files.artefacts import DamagedFile, read_arrays, write_arrays
from oddlens.files.io_errors import writing

UNITS = "electrons / s / pixel"
PER_PIXEL = {"images", "noise_free", "sigma"}
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

    @property
    def table(self) -> pd.DataFrame:
        """`pool`, `class`, `index` and the truth of each image."""
        who = {"pool": self.attributes["pool"], "class": self.attributes["class"], "index": self.arrays["index"]}
        return pd.DataFrame({**who, **self.group("truth")})

    def one(self, name: str, k: int) -> dict[str, np.ndarray]:
        """A group's values for image k."""
        return {column: array[k] for column, array in self.group(name).items()}


def write(path: Path | str, shard: Shard) -> None:
    """Write a shard; it carries its final name only when it is whole."""
    write_arrays(path, shard.arrays, **{"units": UNITS, **shard.attributes, "kind": "shard", "axes": AXES})


def read(path: Path | str) -> Shard:
    """Read and verify a shard.

    Raises:
        DamagedFile: if it is truncated, altered, or no shard.
    """
    arrays, attributes = read_arrays(path)
    if attributes.pop("kind", None) != "shard":
        raise DamagedFile(path, "it is HDF5, but no shard")
    return Shard(arrays, attributes)


@dataclass(frozen=True)
class Pool:
    """Shards as one: a table of who and what, and the pixels, which stay on the disk."""

    table: pd.DataFrame
    """`pool`, `class`, `index`, and the truth; a truth that a class lacks (the length of a vortex) is zero."""
    pixels: Mapping[str, np.ndarray]
    """By the names of `PER_PIXEL`, [n, pixels, pixels], mapped from files."""

    @property
    def images(self) -> np.ndarray:
        """The images, float32 [n, pixels, pixels]."""
        return self.pixels["images"]


def read_all(paths: Sequence[str | Path], scratch: Path | str) -> Pool:
    """Shards in the order of `paths`, of which no more than one is in memory at a time.

    Their pixels are moved to files in the folder `scratch`, which must outlive their use; names that not all shards
    have are left out.
    """
    tables: list[pd.DataFrame] = []
    shapes: dict[str, list[tuple[int, ...]]] = {}
    for path in paths:
        shard = read(path)
        tables.append(shard.table)
        for name in PER_PIXEL & shard.arrays.keys():
            shapes.setdefault(name, []).append(shard.arrays[name].shape)
            pixels_path = Path(scratch, name)
            with writing(pixels_path), pixels_path.open("ab") as file:
                file.write(np.ascontiguousarray(shard.arrays[name], np.float32).data)
    table = pd.concat(tables, ignore_index=True).fillna(0)
    pixels = {
        name: np.memmap(Path(scratch, name), np.float32, "r+", shape=(len(table), *found[0][1:]))
        for name, found in shapes.items()
        if len(found) == len(tables)
    }
    return Pool(table, pixels)
