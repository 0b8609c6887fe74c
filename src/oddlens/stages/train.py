"""Train one detector on all training sets of one seed: shards and splits to models.

With more than one thread, models are trained side by side in processes of their own, on one GPU if there is one: a
small network leaves most of a GPU idle while Python prepares its next step.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from joblib import Parallel, delayed

from oddlens.data import shards, splits
from oddlens.data.randomness import torch_seed
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.fitting import Recipe, TrainingData, fit_or_keep, known_camera, remove_checkpoints
from oddlens.files.artefacts import write_table
from oddlens.provenance.environment import describe_commit


@dataclass(frozen=True)
class TrainedRow:
    """A detector row of the config, as it is trained.

    Args:
        input: what the shards hold: images, or residual inputs (`oddlens.stages.residual_inputs`).
        simulation: of the data set, for a detector that takes it.
        labels: the number of labelled images of each class; empty for a detector that needs all labels.
    """

    name: str
    detector: str
    settings: Mapping[str, Any]
    training: Mapping[str, Any]
    input: str
    labels: Mapping[str, int]
    simulation: dict[str, Any] | None = None


def train(
    models: Mapping[str, str | Path],
    losses: str | Path,
    *,
    row: TrainedRow,
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
    """Train and save a model for each training set, and write the table of their losses.

    Args:
        models: the path of each model by its training set.
        smooth: the normal class.
        replica: the study's seed. It is the same for all training sets, so that they start from equal weights.
        source: the fingerprint of the code, a part of the recipe.
        device: `auto` is a GPU if there is one.
        threads: the number of models that are trained at once, each on one core.
    """
    with TemporaryDirectory() as scratch:
        pool, table = shards.read_all(shard_paths, scratch), splits.read(split_path)
        description = {"row": row.name, "dataset": dataset, "seed": replica, "input": row.input, "source": source}
        recipes = [
            Recipe(
                loading.detector(row.detector),
                row.settings,
                row.training,
                torch_seed(seed, "train", dataset, row.name, replica),
                _training_data(row, pool, table, training_set, smooth),
                {**description, "training_set": training_set},
                row.simulation,
            )
            for training_set in models
        ]
        tasks = [
            delayed(fit_or_keep)(Path(path), recipe, device)
            for path, recipe in zip(models.values(), recipes, strict=True)
        ]
        descriptions = Parallel(n_jobs=min(threads, len(tasks)))(tasks)
    _write_losses(losses, row.name, dict(zip(models, descriptions, strict=True)))
    # Not earlier: Snakemake deletes the models of a job that failed, and checkpoints restore them.
    for path in models.values():
        remove_checkpoints(Path(path))


def _training_data(
    row: TrainedRow, pool: shards.Pool, table: pd.DataFrame, training_set: str, smooth: str
) -> TrainingData:
    """The images and labels of one training set."""
    labelled = splits.labelled_images(table, row.labels)
    needs_labels = loading.detector(row.detector).needs == "labels"
    members = labelled if needs_labels and len(labelled) else table.loc[table[training_set] == 1, splits.IDENTITY]
    rows = splits.rows_of(pool.table, members)
    return TrainingData(
        pool.images,
        rows,
        known_camera(pool.table.loc[rows]),
        (members["class"] != smooth).to_numpy() if needs_labels else None,
        splits.rows_of(pool.table, labelled) if len(labelled) and not needs_labels else None,
    )


def _write_losses(path: str | Path, row: str, descriptions: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the losses of the models by training set: a line for each objective and epoch."""
    lines = [
        line for training_set, about in descriptions.items() for line in _loss_lines(training_set, about["losses"])
    ]
    table = pd.DataFrame(lines, columns=["training_set", "objective", "epoch", "loss"])
    devices = sorted({about["device"] for about in descriptions.values()})
    commits = sorted({describe_commit(about["code"]) for about in descriptions.values()})
    write_table(path, table, kind="losses", row=row, devices=devices, commits=commits)


def _loss_lines(training_set: str, losses: Mapping[str, Sequence[float | None]]) -> Iterator[tuple]:
    for name, means in sorted(losses.items()):  # the order in which a model that is kept has them
        for k, loss in enumerate(means):
            yield training_set, name, k + 1, loss
