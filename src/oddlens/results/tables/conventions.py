"""From score tables to result tables: one file for each idea. Reads no model and no pixel, imports no torch."""

from pathlib import Path

import pandas as pd

from oddlens.data.splits import IDENTITY
from oddlens.data.training_sets import CLEAN, LABELLED
from oddlens.files.artefacts import read_table, replacing

ALL = "all"
"""All anomaly classes together, in the column `anomaly`."""
TRAINING = ["contaminant", "contamination"]
"""The columns that name a training set."""
ROW = [*TRAINING, "detector"]
"""The columns that name a detector and what it was trained on; its seeds are averaged."""
MODEL = [*ROW, "seed"]
"""The columns that name a trained model of a data set."""
HOME = [CLEAN, LABELLED]
"""The training sets by which detectors are judged: clean images, or labelled ones for the ceiling that needs them."""

VARIANTS = ["ablation", "candidate"]
"""Roles of rows that are versions of another, and have tables of their own."""

ALPHA = 0.05
"""Differences whose corrected p is larger are not called differences."""
BLIND = 0.03
"""A row whose AUC is no farther than this from one half is as good as blind. Twins share all but their substructure, so
the faint dimming that it does bring, and the hair's breadth by which the ring shrinks (docs/detectors.md), are
significant long before they are of any use: the effect's size counts."""


def read_scores(path: Path | str) -> tuple[pd.DataFrame, dict]:
    """The scores of one detector on one data set, and what the file says about itself.

    One row per image of the test and validation pools: `pool`, `class`, `index`, and a column of scores for each
    trained model, named `<training_set>/<seed>`.

    Raises:
        DamagedFile: if the file is altered or holds something else.
    """
    return read_table(path, "scores")


def read_pixels(path: Path | str) -> tuple[pd.DataFrame, dict]:
    """How well the maps of one detector on one data set mark pixels that differ: training_set, seed, class, AUC, its error."""
    return read_table(path, "pixels")


def read_samples(path: Path | str) -> tuple[pd.DataFrame, dict]:
    """How like real images those are that models of one detector on one data set draw: training_set, seed, distances."""
    return read_table(path, "samples")


def read_findings(path: Path | str) -> tuple[pd.DataFrame, dict]:
    """What models of one detector on one data set find in images beside scores: a row per model and image."""
    return read_table(path, "findings")


def read_truth(path: Path | str) -> pd.DataFrame:
    """What the simulator knows of the test and validation images of one data set."""
    return read_table(path, "truth")[0]


def write(path: Path | str, table: pd.DataFrame) -> None:
    """A result table as plain CSV with six digits, no finer than 1e-9; what isn't known is empty."""
    floats = table.select_dtypes("float")
    table = table.assign(**(floats.round(9) + 0.0))  # without rounding errors, nor -0
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")


def models(scores: pd.DataFrame) -> list[str]:
    """The columns that are trained models."""
    return [column for column in scores.columns if column not in IDENTITY]


def training_labels(rows: pd.DataFrame) -> pd.Series:
    """What the training set of each row held, in words: `clean`, `cdm 20%`, `labelled`."""

    def label(contaminant: str, fraction: float) -> str:
        if contaminant == LABELLED:
            return LABELLED
        return f"{contaminant} {100 * fraction:g}%" if fraction > 0 else "clean"

    labels = map(label, rows["contaminant"], rows["contamination"])
    return pd.Series(list(labels), rows.index, dtype=str)  # the type is that of text for no rows, too
