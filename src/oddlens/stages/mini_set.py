"""Write the mini set of a data set: a few test images of each class, whose scores are on the cards of models."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from oddlens.data import shards
from oddlens.files.artefacts import write_arrays

IMAGES_PER_CLASS = 20


def mini_set(path: str | Path, shard_paths: Sequence[str]) -> None:
    """Write the first test images of each class: `images` [n, pixels, pixels], `class` (a place in the attribute
    `classes`) and `index` [n].

    Args:
        shard_paths: the first test shard of each class.
    """
    found = [shards.read(path) for path in shard_paths]
    counts = [min(IMAGES_PER_CLASS, len(shard.images)) for shard in found]
    arrays = {
        "images": np.concatenate([shard.images[:count] for shard, count in zip(found, counts, strict=True)]),
        "class": np.repeat(np.arange(len(found)), counts),
        "index": np.concatenate([shard.arrays["index"][:n] for shard, n in zip(found, counts, strict=True)]),
    }
    about = found[0].attributes
    write_arrays(
        path,
        arrays,
        kind="mini set",
        dataset=about["dataset"],
        classes=",".join(shard.attributes["class"] for shard in found),
        pixel_scale_arcsec=about["pixel_scale_arcsec"],
        units=shards.UNITS,
        axes=shards.AXES,
    )
