"""What the page knows of a data set: its images, models and scores, the truth, and thumbnails."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from oddlens.data import shards
from oddlens.data.pools import UNLABELLED
from oddlens.data.splits import IDENTITY, LENS
from oddlens.data.twins import Twins
from oddlens.results.pages.explore.packing import packed, packed_scores
from oddlens.results.pages.explore.row_maps import row_maps
from oddlens.results.pages.explore.sprites import sprites
from oddlens.results.tables.columns import AS_GIVEN, CLEAN_LABEL, training_labels
from oddlens.results.tables.dataset_scores import DatasetScores

NORMAL, ANOMALY, DECOY = "normal", "anomaly", "decoy"
"""The kinds of classes, beside `UNLABELLED`."""
POOLS = ("test", "validation")
"""The pools of the images in the page. Only test images have thumbnails and a truth."""


def dataset_facts(
    scores: DatasetScores, truth: pd.DataFrame, shard_paths: Sequence[str | Path], maps: Iterable[str | Path]
) -> dict[str, Any]:
    """The facts of a data set, of which scores and numbers are packed (`packing`).

    Images are the test images in the order of their shards, then the normal validation images, which thresholds are
    set on.

    Args:
        scores: of all models of the data set.
        truth: of its images, by `read_truth`.
        shard_paths: the shards of its test pool.
        maps: the files of maps of its rows, by `oddlens.detectors.evaluation.kept_maps`.
    """
    with TemporaryDirectory() as scratch:
        twins = Twins(shards.read_all(shard_paths, scratch), scores.smooth)
        tested = twins.table[IDENTITY]
        variants = {name: variant.twin for name, variant in twins.variants.items()}
        tiles, of_rows = sprites(twins), row_maps(maps, twins, scores.models)
    validation = scores.images.iloc[scores.positions(scores.smooth, "validation")][IDENTITY]
    images = pd.concat([tested, validation], ignore_index=True)
    classes = [str(cls) for cls in images["class"].unique()]
    return {
        "name": scores.dataset,
        "simulated": scores.simulated,
        "smooth": scores.smooth,
        # A list, because JavaScript puts keys that are numbers before others, and a class may be called 7.
        "classes": [(cls, _kind(cls, scores)) for cls in classes],
        "twin_classes": variants,
        "tested": len(tested),
        "class_of": packed(images["class"].map(classes.index).to_numpy(np.uint8)),
        "index_of": packed(images["index"].to_numpy(np.int32)),
        "models": _models(scores),
        **packed_scores(_scores_of(scores, images)),
        "truth": _truth(tested.merge(truth, how="left", on=IDENTITY).drop(columns=[*IDENTITY, LENS], errors="ignore")),
        "sprites": tiles,
        "maps": of_rows,
    }


def _kind(cls: str, scores: DatasetScores) -> str:
    known = {scores.smooth: NORMAL, UNLABELLED: UNLABELLED} | dict.fromkeys(scores.decoys, DECOY)
    return known.get(cls, ANOMALY)


def _models(scores: DatasetScores) -> list[dict[str, Any]]:
    """The row, the training set as text, the seed and the state of each model."""
    labels = training_labels(scores.models, CLEAN_LABEL if scores.simulated else AS_GIVEN)
    columns = zip(scores.models["detector"], labels, scores.models["seed"], scores.converged, strict=True)
    return [{"row": row, "training": label, "seed": int(seed), "ok": bool(ok)} for row, label, seed, ok in columns]


def _scores_of(scores: DatasetScores, images: pd.DataFrame) -> np.ndarray:
    """The scores [models, images] of some images; NaN for those without one, and for models that diverged."""
    position = pd.Series(np.arange(len(scores.images)), pd.MultiIndex.from_frame(scores.images[IDENTITY]))
    found = position.reindex(pd.MultiIndex.from_frame(images[IDENTITY]))
    values = scores.values[:, found.fillna(0).to_numpy(int)]
    return np.where(scores.converged[:, None] & found.notna().to_numpy(), values, np.nan)


def _truth(table: pd.DataFrame) -> dict[str, Any]:
    """The truth of test images: numbers that are equal for all images, packed float32 numbers [columns, images], and
    lists of text."""
    numbers, text = table.select_dtypes("number"), table.select_dtypes(exclude="number")
    same = {str(name): float(column.iloc[0]) for name, column in numbers.items() if column.nunique(dropna=False) == 1}
    varied = numbers.drop(columns=list(same))
    return {
        "same": same,
        "columns": list(varied),
        "numbers": packed(varied.to_numpy(np.float32).T),
        "text": {str(name): ["" if pd.isna(value) else str(value) for value in text[name]] for name in text},
    }
