"""Train one detector on all training sets of one seed: shards and splits to models.

A model already there is kept if its recipe is the one asked for, so that a study with one more contamination, or a
killed job, trains only what is missing. A training that diverges leaves a model that says so.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch

from oddlens import detectors, shards, splits
from oddlens.artefacts import DamagedFile, write_table
from oddlens.detectors.base import Camera, Detector, OtherFormat, read_model
from oddlens.progress import say
from oddlens.provenance import versions
from oddlens.randomness import torch_seed
from oddlens.training import Diverged, History, pick_device

CAMERA = ["noise_gain", "noise_background", "psf_fwhm_pixels"]
"""The columns of truth that an observer knows; where they vary, a detector is told the median."""


def train(
    models: Mapping[str, str | Path],
    losses: str | Path,
    *,
    row: str,
    detector: str,
    settings: Mapping[str, Any],
    training: Mapping[str, Any],
    dataset: str,
    shard_paths: list[str],
    split_path: str,
    smooth: str,
    seed: int,
    replica: int,
    source: str,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Train and save one model for each cell of `models` (cell to path), and write the table of their losses.

    Args:
        row: the name of the detector's row in the config.
        smooth: the class that is normal.
        replica: the study's seed; the same for all cells, so that they start from equal weights.
        source: the fingerprint of the code, a part of the recipe.
        device: `auto` takes a GPU if there is one.
    """
    torch.set_num_threads(threads)
    kind, own_seed = detectors.detector(detector), torch_seed(seed, "train", dataset, row, replica)
    history: list[tuple] = []
    with TemporaryDirectory() as scratch:
        pool = shards.read_all(shard_paths, scratch)
        place = pd.Series(pool.table.index, index=pd.MultiIndex.from_frame(pool.table[splits.IDENTITY]))
        table = splits.read(split_path)
        for cell, path in models.items():
            members = table.loc[table[cell] == 1, splits.IDENTITY]
            rows = place[list(members.itertuples(index=False, name=None))].to_numpy()
            about: dict[str, Any] = {
                "row": row,
                "dataset": dataset,
                "cell": cell,
                "seed": replica,
                "training": {k: v for k, v in training.items() if k != "checkpoint_s"},  # it changes no result
                "source": source,
                "images": _digest(pool.images, rows),
            }
            recipe = json.dumps([about, detector, dict(settings), own_seed], sort_keys=True)
            about["recipe"] = hashlib.sha256(recipe.encode()).hexdigest()
            found = _losses_of(path, about["recipe"])
            if found is None:
                found = _fit(
                    kind.build(pool.images.shape[-1], seed=own_seed, **settings),
                    Path(path),
                    about,
                    images=pool.images,
                    rows=rows,
                    labels=(members["class"] != smooth).to_numpy() if kind.needs == "labels" else None,
                    camera=Camera(*pool.table.loc[rows, CAMERA].median()),
                    seed=own_seed,
                    training=training,
                    device=pick_device(device),
                )
            else:
                say(f"{_title(about)}: kept, nothing in its recipe has changed")
            history += [(cell, name, k + 1, loss) for name, values in found.items() for k, loss in enumerate(values)]
    write_table(losses, pd.DataFrame(history, columns=["cell", "objective", "epoch", "loss"]), kind="losses", row=row)
    # Kept until here: Snakemake deletes the models of a job that failed, and the checkpoints bring them back.
    for path in models.values():
        for checkpoint in Path(path).parent.glob(f".{Path(path).stem}-*.checkpoint"):
            checkpoint.unlink()


def _fit(model: Detector, path: Path, about: dict[str, Any], **given: Any) -> History:
    """Fit and save a model, and say so if it diverged; its losses."""
    title, diverged = _title(about), None
    say(f"{title}: {len(given['rows'])} images on {given['device']}")
    checkpoint = path.with_name(f".{path.stem}-{about['recipe'][:12]}.checkpoint")
    try:
        losses = model.fit(**given, on_epoch=lambda e: say(f"  {e}"), checkpoint=checkpoint)
    except Diverged as error:
        diverged, losses = str(error), error.history
        say(f"{title}: diverged: {error}")
    model.save(
        path, **about, losses=losses, diverged=diverged, versions=versions("torch", "numpy"), device=given["device"]
    )
    return losses


def _title(about: Mapping[str, Any]) -> str:
    return "{row} on {dataset}, {cell}, seed {seed}".format(**about)


def _digest(images: np.ndarray, rows: np.ndarray) -> str:
    """SHA-256 of some images, a few at a time."""
    sha = hashlib.sha256()
    for part in np.array_split(rows, -(-len(rows) // 1000)):
        sha.update(images[part].tobytes())
    return sha.hexdigest()


def _losses_of(path: str | Path, recipe: str) -> History | None:
    """The losses of the model at `path` if it is whole and of this recipe."""
    try:
        about = read_model(path)[1]["about"]
    except (FileNotFoundError, DamagedFile, OtherFormat):
        return None
    return about["losses"] if about.get("recipe") == recipe else None
