"""Read the scores that another program computed: a table with a line for each image and model.

The columns `pool`, `class` and `index` name an image of a study, as `metadata.csv` of an exported data set and
`scores/<data set>/<row>.csv` do. The column `file` names one of the user's own images instead, as in their sheet. The
column `score` has the score. Optional columns are `dataset`, `training_set` (`none-0`) and `seed`. Images of the test
and validation pools need a score; others are left out. Lines that begin with # are comments.
"""

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from oddlens.data.splits import IDENTITY
from oddlens.data.training_sets import CLEAN_SET
from oddlens.files.names import printable
from oddlens.files.progress import say
from oddlens.observations.index_table import read_table
from oddlens.observations.sample.mistakes import MAX_SHOWN, Mistakes
from oddlens.schema.config_errors import nearest

COLUMNS = ("dataset", "training_set", "seed", *IDENTITY, "file", "score")
MAX_BYTES = 500_000_000
"""The largest table that is read."""
MODEL = ["training_set", "seed"]
MAX_COMPARED = 5_000
"""Names of files among which the nearest is sought."""


@dataclass(frozen=True)
class Expected:
    """What a table may name.

    Attributes:
        images: a line for each test and validation image: `pool`, `class`, `index`, and, of the user's own images,
            `lens` and `file`.
        dataset: the data set of the images.
        claimed: the data sets that the table should have scores of.
        known: the data sets of the study.
        training_sets: the training sets of the study, with the labelled one.
        seed: that of lines without one.
    """

    images: pd.DataFrame
    dataset: str
    claimed: Sequence[str]
    known: Sequence[str]
    training_sets: Sequence[str]
    seed: int


def read_external_scores(path: Path, expected: Expected) -> pd.DataFrame:
    """The scores of one data set: `pool`, `class`, `index`, `lens` of the user's own images, and a column
    `<training_set>/<seed>` for each model.

    Raises:
        FileNotFoundError, ValueError: with all mistakes, one line each: images without a score, unknown or repeated
            ones, and scores that are not finite.
    """
    rows = read_table(path, ["score"], COLUMNS, max_bytes=MAX_BYTES, comments=True).rows
    mistakes = Mistakes()
    for row in rows:
        if row.problem:
            mistakes.add(f"{path}, line {row.line}: {row.problem}")
    mistakes.raise_all()
    table = pd.DataFrame([row.values for row in rows]).assign(line=[row.line for row in rows])
    table = _of_dataset(path, table, expected, mistakes)
    table = _with_images(path, table, expected.images, mistakes)
    table = _with_models(path, table, expected, mistakes)
    _check_scores(path, table, mistakes)
    _check_repeats(path, table, mistakes)
    _check_complete(path, table, expected, mistakes)
    mistakes.raise_all()
    return _wide(table, expected)


def _of_dataset(path: Path, table: pd.DataFrame, expected: Expected, mistakes: Mistakes) -> pd.DataFrame:
    """The lines of one data set."""
    if "dataset" not in table:
        if len(expected.claimed) > 1:
            raise ValueError(
                f"{path} has no column 'dataset', and the row has {len(expected.claimed)} data sets: add the column, "
                "or name one data set under `datasets` of the row"
            )
        return table
    for name, lines in table[~table["dataset"].isin(expected.known)].groupby("dataset", sort=False):
        known = nearest(str(name), expected.known)
        mistakes.add(f"{path}, line {lines['line'].iloc[0]}: unknown data set '{printable(str(name))}'. {known}")
    chosen = table[table["dataset"] == expected.dataset]
    mistakes.raise_all()
    if not len(chosen):
        raise ValueError(
            f"{path} has no scores of data set {expected.dataset}: name the data sets that it has under `datasets` of "
            "the row"
        )
    return chosen


def _with_images(path: Path, table: pd.DataFrame, images: pd.DataFrame, mistakes: Mistakes) -> pd.DataFrame:
    """The lines of test and validation images, with the `position` of their image; -1 if it is unknown."""
    if {*IDENTITY} <= {*table.columns}:
        others = table["pool"].isin(["train", "contaminant"])
        if others.any():
            say(f"{path}: {others.sum()} lines of training images and contaminants are not used")
        table = table[~others]
        names = table["pool"] + "/" + table["class"] + "/" + table["index"]
        known = images["pool"] + "/" + images["class"] + "/" + images["index"].astype(str)
        suggest = _nearest_image
    elif "file" not in table:
        raise ValueError(f"{path} names no images: it needs the columns pool, class and index, or the column file")
    elif "file" not in images:
        raise ValueError(
            f"{path} names files, but the images of this data set are simulated: it needs the columns pool, class and "
            "index, which metadata.csv of `make export` has"
        )
    else:
        names, known, suggest = table["file"].map(os.path.normpath), images["file"].map(os.path.normpath), _nearest_file
    position = pd.Series(np.arange(len(known)), known)
    found = names.map(position[~position.index.duplicated()])
    for k, (line, name) in enumerate(zip(table["line"][found.isna()], names[found.isna()], strict=True)):
        hint = suggest(name, known) if k < MAX_SHOWN else ""
        mistakes.add(f"{path}, line {line}: unknown image {printable(name)}.{hint}")
    return table.assign(position=found.fillna(-1).astype(int))


def _nearest_image(name: str, known: pd.Series) -> str:
    """What is wrong with the name of an image."""
    folder, _, index = name.rpartition("/")
    of_folder = known[known.str.startswith(f"{folder}/")]
    if len(of_folder):
        return f" {folder} has {len(of_folder)} images, numbered from 0 (got {printable(index)})"
    return f" {nearest(folder, known.str.rpartition('/')[0].unique())}"


def _nearest_file(name: str, known: pd.Series) -> str:
    """The file that was probably meant."""
    same = known[known.map(os.path.basename) == os.path.basename(name)]
    close = list(same[:1]) or difflib.get_close_matches(name, known[:MAX_COMPARED], n=1)
    return f" Did you mean {printable(close[0])}?" if close else ""


def _with_models(path: Path, table: pd.DataFrame, expected: Expected, mistakes: Mistakes) -> pd.DataFrame:
    """The lines with their training set and seed."""
    training_set = table.get("training_set", pd.Series("", table.index)).replace("", CLEAN_SET)
    seed = table.get("seed", pd.Series("", table.index)).replace("", str(expected.seed))
    for name, lines in table[~training_set.isin(expected.training_sets)].groupby(training_set, sort=False):
        known = nearest(str(name), expected.training_sets)
        mistakes.add(f"{path}, line {lines['line'].iloc[0]}: unknown training set '{printable(str(name))}'. {known}")
    wrong = ~seed.str.fullmatch(r"\d{1,9}")
    for line, value in zip(table["line"][wrong], seed[wrong], strict=True):
        mistakes.add(f"{path}, line {line}: seed is '{printable(value)}': must be a whole number from 0")
    number = seed.where(~wrong, str(expected.seed)).astype(int)
    return table.assign(training_set=training_set, seed=number)


def _check_scores(path: Path, table: pd.DataFrame, mistakes: Mistakes) -> None:
    """Report scores that are not finite numbers."""
    wrong = ~np.isfinite(pd.to_numeric(table["score"], errors="coerce"))
    for line, value in zip(table["line"][wrong], table["score"][wrong], strict=True):
        mistakes.add(f"{path}, line {line}: score is '{printable(value)}': must be a finite number")


def _check_repeats(path: Path, table: pd.DataFrame, mistakes: Mistakes) -> None:
    """Report images with several scores by one model."""
    known = table[table["position"] >= 0]
    for _, lines in known[known.duplicated([*MODEL, "position"], keep=False)].groupby([*MODEL, "position"], sort=False):
        of = ", ".join(str(line) for line in lines["line"].head(4))
        mistakes.add(f"{path}, lines {of}: one image has {len(lines)} scores by one model: keep one")


def _check_complete(path: Path, table: pd.DataFrame, expected: Expected, mistakes: Mistakes) -> None:
    """Report images without a score."""
    for (training_set, seed), lines in table.groupby(MODEL, sort=False):
        missing = expected.images.drop(index=expected.images.index[lines["position"][lines["position"] >= 0]])
        for (pool, cls), of_class in missing.groupby(["pool", "class"], sort=False):
            first = of_class.iloc[0]
            name = printable(first["file"]) if "file" in first else f"{pool}/{cls}/{first['index']}"
            mistakes.add(
                f"{path}: {len(of_class)} images of {pool}/{cls} have no score (training set {training_set}, seed "
                f"{seed}), such as {name}"
            )


def _wide(table: pd.DataFrame, expected: Expected) -> pd.DataFrame:
    """The images with a column for each model, the models in the order of training sets and seeds."""
    order = {name: k for k, name in enumerate(expected.training_sets)}
    models = sorted(set(zip(table["training_set"], table["seed"], strict=True)), key=lambda m: (order[m[0]], m[1]))
    wide = expected.images.drop(columns="file", errors="ignore").reset_index(drop=True)
    for training_set, seed in models:
        lines = table[(table["training_set"] == training_set) & (table["seed"] == seed)].set_index("position")
        wide[f"{training_set}/{seed}"] = lines["score"].astype(float).reindex(range(len(wide))).to_numpy()
    return wide
