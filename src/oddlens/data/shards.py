"""Image shards (HDF5): their schema, and how they are written, read and verified.

images          float32 [n, pixels, pixels]   sky-subtracted, with noise; row 0 is the top (+y), column 0 the left (-x)
index           int64 [n]                     the number of the image in its pool and class
psf             float64 [k, k]                the point-spread function, if all images share one
noise_free      float32 [n, pixels, pixels]   the image without noise, in the test and validation pools
sigma           float32 [n, pixels, pixels]   the standard deviation of the noise, in the same pools
truth/*         float64 [n]                   all sampled parameters and derived quantities; units are in the names
source/*        float64 [n, slots]            clumps of the source, if the simulation has any
substructure/*  float64 [n, ...]              the substructure of the class
sheet/*         bytes [n]                     of the user's own images: file, object, band, label, and other text of
                                              their sheet, UTF-8
container/*     float64 or bytes [n]          facts of the file of each of these images
attributes      dataset, pool, class, seed, units, pixel_scale_arcsec, axes; of simulated images simulation (JSON),
                versions (JSON), psf_sha256 of a point-spread function from a file, and pyautolens_disagreement_sigma:
                the largest difference between its first image and that of PyAutoLens, in units of the noise; of the
                user's own images files (JSON), their section of the config, and skipped (JSON), those that could not be
                used, each with the reason; of a class that is a variant twin and decoy, see `VariantClass`
before the HDF5 its SHA-256, as text (`artefacts.CHECKSUM_BLOCK_BYTES`)
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oddlens.files.artefacts import DamagedFile, read_arrays, write_arrays
from oddlens.files.io_errors import explain_io_errors

UNITS = "electrons / s / pixel"
PER_PIXEL = {"images", "noise_free", "sigma"}
AXES = "image, y (top to bottom), x (left to right)"


@dataclass(frozen=True)
class VariantClass:
    """A class of test images that is a variant of another one (`oddlens.config.variants`)."""

    name: str
    twin: str
    """The class of their twins without substructure."""
    decoy: bool
    """They are lenses without substructure that must not be flagged."""

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes by which a shard states it."""
        return {"class": self.name, "twin": self.twin, "decoy": self.decoy}


@dataclass(frozen=True)
class Shard:
    """A shard in memory: arrays by the names of the schema (`truth/...`, `substructure/...`), and attributes."""

    arrays: dict[str, np.ndarray]
    attributes: dict[str, Any]

    @property
    def images(self) -> np.ndarray:
        """The images, float32 [n, pixels, pixels]."""
        return self.arrays["images"]

    def group(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of a group (`truth`, `source`, `substructure`), by their names inside the group."""
        return {n.removeprefix(f"{name}/"): array for n, array in self.arrays.items() if n.startswith(f"{name}/")}

    @property
    def table(self) -> pd.DataFrame:
        """`pool`, `class`, `index`, the truth and the text of the sheet of each image."""
        identity = {"pool": self.attributes["pool"], "class": self.attributes["class"], "index": self.arrays["index"]}
        text = {name: np.char.decode(array, "utf-8") for name, array in self.group("sheet").items()}
        return pd.DataFrame({**identity, **self.group("truth"), **text})

    @property
    def container(self) -> pd.DataFrame:
        """The facts of the file of each image; without columns for simulated images."""
        facts = self.group("container")
        text = {name: np.char.decode(array, "utf-8") for name, array in facts.items() if array.dtype.kind == "S"}
        return pd.DataFrame(facts | text).add_prefix("container/")

    @property
    def variant(self) -> VariantClass | None:
        """The class of the images, if it is a variant."""
        if "twin" not in self.attributes:
            return None
        return VariantClass(self.attributes["class"], self.attributes["twin"], bool(self.attributes["decoy"]))

    def one(self, name: str, k: int) -> dict[str, np.ndarray]:
        """The values of a group for image k."""
        return {column: array[k] for column, array in self.group(name).items()}


def write(path: Path | str, shard: Shard) -> None:
    """Write a shard under a temporary name, and rename it when it is complete."""
    write_arrays(path, shard.arrays, **{"units": UNITS, **shard.attributes, "kind": "shard", "axes": AXES})


def read(path: Path | str) -> Shard:
    """Read and verify a shard.

    Raises:
        DamagedFile: if the file is truncated, altered, or not a shard.
    """
    arrays, attributes = read_arrays(path)
    if attributes.pop("kind", None) != "shard":
        raise DamagedFile(path, "it is HDF5, but not a shard")
    return Shard(arrays, attributes)


def skipped_images(paths: Iterable[str | Path]) -> dict[str, str]:
    """The images that could not be used for some shards, each with the reason."""
    found: dict[str, str] = {}
    for path in paths:
        found |= json.loads(read(path).attributes["skipped"])
    return found


@dataclass(frozen=True)
class Pool:
    """Several shards as one: a table in memory, and the pixels, which stay on the disk."""

    table: pd.DataFrame
    """`pool`, `class`, `index`, the truth, and the text of a sheet: see `joined`."""
    pixels: Mapping[str, np.ndarray]
    """The arrays `PER_PIXEL`, each [n, pixels, pixels], mapped from files."""
    variants: Mapping[str, VariantClass] = field(default_factory=dict)
    """The classes that are variants."""

    @property
    def images(self) -> np.ndarray:
        """The images, float32 [n, pixels, pixels]."""
        return self.pixels["images"]


def joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables of shards as one. A quantity that a class lacks (the length of a vortex) is zero, an unknown one NaN."""
    columns = list(dict.fromkeys(column for table in tables for column in table))
    return pd.concat([table.reindex(columns=columns, fill_value=0) for table in tables], ignore_index=True)


def read_all(paths: Sequence[str | Path], scratch: Path | str, *, container: bool = False) -> Pool:
    """Read shards as one, in the order of `paths`, with at most one in memory at a time.

    Args:
        paths: the shards.
        scratch: a folder for the pixels. It must exist as long as they are used.
        container: whether the table has the facts of files, too, as `container/...`.

    Returns:
        The images of all shards. Arrays that some shards lack are left out.
    """
    tables: list[pd.DataFrame] = []
    shapes: dict[str, list[tuple[int, ...]]] = {}
    variants: dict[str, VariantClass] = {}
    for path in paths:
        shard = read(path)
        if shard.variant:
            variants[shard.variant.name] = shard.variant
        tables.append(pd.concat([shard.table, shard.container], axis=1) if container else shard.table)
        for name in PER_PIXEL & shard.arrays.keys():
            shapes.setdefault(name, []).append(shard.arrays[name].shape)
            pixels_path = Path(scratch, name)
            with explain_io_errors(pixels_path), pixels_path.open("ab") as file:
                file.write(np.ascontiguousarray(shard.arrays[name], np.float32).data)
    table = joined(tables)
    pixels = {
        name: np.memmap(Path(scratch, name), np.float32, "r+", shape=(len(table), *found[0][1:]))
        for name, found in shapes.items()
        if len(found) == len(tables)
    }
    return Pool(table, pixels, variants)
