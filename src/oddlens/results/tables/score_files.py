"""Read what a row writes about the images of one data set: scores, pixel AUCs, sample quality, findings; and the truth.

Each function returns a table and the metadata of its file, and raises `DamagedFile` if the file was altered or is of
another kind. No function reads a model or an image.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from oddlens.data.splits import IDENTITY, LENS
from oddlens.data.training_sets import parse_training_set
from oddlens.files.artefacts import read_table
from oddlens.results.tables.columns import TRAINING_SET


def read_scores(path: Path | str) -> tuple[pd.DataFrame, dict]:
    """The scores of a row on the images of the test and validation pools.

    A line per image with `pool`, `class`, `index`, of the user's own images also `lens`, and a column of scores for
    each trained model, named `<training_set>/<seed>`.
    """
    return read_table(path, "scores")


def read_pixel_aucs(path: Path | str) -> tuple[pd.DataFrame, dict]:
    """How well anomaly maps rank perturbed pixels: training set, seed, class, mean AUC and its standard error."""
    return read_table(path, "pixels")


def read_samples(path: Path | str) -> tuple[pd.DataFrame, dict]:
    """The distances between sampled and simulated images: training set, seed, and the measures of
    `oddlens.statistics.sample_quality`."""
    return read_table(path, "samples")


def read_findings(path: Path | str) -> tuple[pd.DataFrame, dict]:
    """The findings of each model in each image, such as the position and mass of a perturber."""
    return read_table(path, "findings")


def read_truth(path: Path | str) -> pd.DataFrame:
    """The simulation parameters, or the sheet, of the test and validation images of a data set."""
    return read_table(path, "truth")[0]


def model_columns(scores: pd.DataFrame) -> list[str]:
    """The columns of a score table that hold the scores of a trained model."""
    return [column for column in scores.columns if column not in (*IDENTITY, LENS)]


def by_model(files: Iterable[tuple[pd.DataFrame, dict]]) -> Iterator[pd.DataFrame]:
    """Tables with a column `training_set` and their metadata, as tables with the columns that name a model.

    Empty tables are left out.
    """
    for table, about in files:
        if len(table):
            names = [parse_training_set(training_set) for training_set in table["training_set"]]
            columns = pd.DataFrame(names, columns=TRAINING_SET, index=table.index)
            yield table.assign(**columns, dataset=about["dataset"], detector=about["detector"])
