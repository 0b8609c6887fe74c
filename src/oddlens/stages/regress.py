"""Learn to estimate, from labelled images of the training pools: shards to a model. The loop is that of all models."""

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from oddlens.data import shards
from oddlens.data.randomness import torch_seed
from oddlens.data.training_sets import LABELLED
from oddlens.detectors.interface.base import Camera, Detector
from oddlens.regression.network import Regressor
from oddlens.regression.targets import Targets
from oddlens.stages.train import CAMERA, clear_checkpoints, digest, trained
from oddlens.training.loop import Diverged, pick_device


def learn(
    path: str | Path,
    shard_paths: list[str],
    *,
    row: str,
    dataset: str,
    input: str,
    images: int,
    held_out: float,
    bins: int,
    settings: Mapping[str, Any],
    training: Mapping[str, Any],
    seed: int,
    source: str,
    device: str = "auto",
) -> None:
    """Train, calibrate and save one model.

    Args:
        shard_paths: of the training pools; the first class that they hold is the smooth one.
        images: of each class, at most.
        held_out: the part of these that is not trained on, and calibrates.
        bins: of each number.
        settings: of the network.

    Raises:
        Diverged: a loss is no longer finite.
    """
    own_seed = torch_seed(seed, "regress", dataset, row)
    with TemporaryDirectory() as scratch:
        pool = shards.read_all(shard_paths, scratch)
        rows, held = parted(pool.table, images, held_out)
        targets = Targets.of(pool.table.loc[rows], bins)
        labels = targets.labels(pool.table)
        about: dict[str, Any] = {
            "row": row,
            "dataset": dataset,
            "training_set": LABELLED,
            "seed": seed,
            "input": input,
            "targets": targets.plain(),
            "training": {k: v for k, v in training.items() if k != "checkpoint_s"},  # it changes no result
            "source": source,
            "images": digest(pool.images, np.concatenate([rows, held])),
        }
        recipe = json.dumps([about, dict(settings), own_seed], sort_keys=True)
        about["recipe"] = hashlib.sha256(recipe.encode()).hexdigest()

        def calibrate(model: Detector) -> None:
            assert isinstance(model, Regressor)
            model.calibrate(pool.images, held, labels[held])

        made = trained(
            Path(path),
            about,
            partial(Regressor.build, pool.images.shape[-1], seed=own_seed, bins=targets.bins, **settings),
            calibrate,
            images=pool.images,
            rows=rows,
            labels=labels[rows],
            camera=Camera(*pool.table.loc[rows, CAMERA].median()),
            seed=own_seed,
            training=training,
            device=pick_device(device),
        )
    if made["diverged"]:
        Path(path).unlink()  # there is nothing to estimate with
        raise Diverged(f"regression.{row} on {dataset}: {made['diverged']}")
    clear_checkpoints(Path(path))


def parted(table: pd.DataFrame, images: int, held_out: float) -> tuple[np.ndarray, np.ndarray]:
    """The rows to learn from and those held out: the first images of each class, and of these the last."""
    learnt: list[np.ndarray] = []
    held: list[np.ndarray] = []
    for _, rows in table.groupby("class", sort=False).indices.items():
        chosen = np.asarray(rows)[:images]
        count = len(chosen) - round(held_out * len(chosen))
        learnt.append(chosen[:count])
        held.append(chosen[count:])
    return np.concatenate(learnt), np.concatenate(held)
