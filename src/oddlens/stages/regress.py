"""Train the network of the regression on labelled images of the training pools: shards to a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from oddlens.data import shards
from oddlens.data.randomness import torch_seed
from oddlens.data.training_sets import LABELLED
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.fitting import (
    Recipe,
    TrainingData,
    digest,
    fit_or_keep,
    known_camera,
    remove_checkpoints,
)
from oddlens.regression.network import Regressor
from oddlens.regression.targets import Targets
from oddlens.training.objectives import Diverged


@dataclass(frozen=True)
class RegressionRow:
    """A row of the regression in the config, as it is trained.

    Args:
        input: what the shards hold: images, or residual inputs.
        images: the largest number of images of each class.
        held_out: the fraction of these that is not trained on; it calibrates the model.
        bins: of each number.
        settings: of the network.
    """

    name: str
    input: str
    images: int
    held_out: float
    bins: int
    settings: Mapping[str, Any]
    training: Mapping[str, Any]


def learn(
    path: str | Path,
    shard_paths: list[str],
    *,
    row: RegressionRow,
    dataset: str,
    seed: int,
    source: str,
    device: str = "auto",
) -> None:
    """Train, calibrate and save one model.

    Args:
        shard_paths: of the training pools. The first class in them is the smooth one.
        source: the fingerprint of the code, a part of the recipe.

    Raises:
        Diverged: a loss is no longer finite.
    """
    with TemporaryDirectory() as scratch:
        pool = shards.read_all(shard_paths, scratch)
        rows, held = split_rows(pool.table, row.images, row.held_out)
        targets = Targets.of(pool.table.loc[rows], row.bins)
        labels = targets.labels(pool.table)

        def calibrate(model: Detector) -> None:
            assert isinstance(model, Regressor)
            model.calibrate(pool.images, held, labels[held])

        description = {
            "row": row.name,
            "dataset": dataset,
            "training_set": LABELLED,
            "seed": seed,
            "input": row.input,
            "targets": targets.plain(),
            "source": source,
            "calibration_images": digest(pool.images, held) if len(held) else None,
        }
        recipe = Recipe(
            Regressor,
            {"bins": targets.bins, **row.settings},
            row.training,
            torch_seed(seed, "regress", dataset, row.name),
            TrainingData(pool.images, rows, known_camera(pool.table.loc[rows]), labels[rows]),
            description,
            finish=calibrate,
        )
        about = fit_or_keep(Path(path), recipe, device)
    if about["diverged"]:
        Path(path).unlink()  # a diverged network estimates nothing
        raise Diverged(f"regression.{row.name} on {dataset}: {about['diverged']}")
    remove_checkpoints(Path(path))


def split_rows(table: pd.DataFrame, images: int, held_out: float) -> tuple[np.ndarray, np.ndarray]:
    """The rows to train on and those held out: of the first images of each class, the last are held out."""
    training: list[np.ndarray] = []
    held: list[np.ndarray] = []
    for _, rows in table.groupby("class", sort=False).indices.items():
        chosen = np.asarray(rows)[:images]
        count = len(chosen) - round(held_out * len(chosen))
        training.append(chosen[:count])
        held.append(chosen[count:])
    return np.concatenate(training), np.concatenate(held)
