"""From score tables to result tables. Reads no model and no pixel, imports no torch."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from oddlens import metrics
from oddlens.artefacts import DamagedFile, read_table, replacing
from oddlens.cells import parse_cell
from oddlens.splits import IDENTITY

ALL = "all"
"""All anomaly classes together, in the column `anomaly`."""
CELL = ["dataset", "contaminant", "contamination", "detector", "seed"]
"""The columns that name a trained detector."""
PUBLISHED = Path(__file__).with_name("published.csv")


def read_scores(path: Path | str) -> tuple[pd.DataFrame, dict]:
    """The scores of one detector on one data set, and what the file says about itself.

    One row per image of the test and validation pools: `pool`, `class`, `index`, and a column of scores for each
    trained model, named `<cell>/<seed>`.

    Raises:
        DamagedFile: if the file is altered or holds something else.
    """
    table, about = read_table(path)
    if about.get("kind") != "scores":
        raise DamagedFile(path, f"it holds {about.get('kind')!r} where scores are expected")
    return table, about


def write(path: Path | str, table: pd.DataFrame) -> None:
    """A result table as plain CSV with six decimals."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")


def models(scores: pd.DataFrame) -> list[str]:
    """The columns that are trained models."""
    return [column for column in scores.columns if column not in IDENTITY]


def comparisons(scores: pd.DataFrame, column: str, smooth: str) -> Iterator[tuple[str, pd.Series, pd.Series]]:
    """Anomaly class (or `all`), normal scores and anomalous scores of one model on the test pool."""
    test = scores[scores["pool"] == "test"]
    normal = test.loc[test["class"] == smooth, column]
    for anomaly in [*test["class"][test["class"] != smooth].unique(), ALL]:
        chosen = test["class"] != smooth if anomaly == ALL else test["class"] == anomaly
        yield anomaly, normal, test.loc[chosen, column]


def auc_table(paths: list[Path] | list[str], smooth: str) -> pd.DataFrame:
    """The tidy table `auc.csv`: a row for every data set, training set, detector, seed and anomaly."""
    rows = []
    for path in paths:
        scores, about = read_scores(path)
        for column in models(scores):
            cell, _, seed = column.partition("/")
            contaminant, contamination = parse_cell(cell)
            name = dict(
                zip(CELL, (about["dataset"], contaminant, contamination, about["detector"], int(seed)), strict=True)
            )
            for anomaly, normal, anomalous in comparisons(scores, column, smooth):
                rows.append(
                    {**name, "anomaly": anomaly, **asdict(metrics.quality(normal.to_numpy(), anomalous.to_numpy()))}
                )
    return pd.DataFrame(rows)


def training_labels(rows: pd.DataFrame) -> pd.Series:
    """What the training set of each row held, in words: `clean`, `cdm 20%`."""
    contaminated = rows["contaminant"] + rows["contamination"].map(lambda p: f" {100 * p:g}%")
    return contaminated.where(rows["contamination"] > 0, "clean")


def comparison_table(auc: pd.DataFrame) -> pd.DataFrame:
    """The wide table: a row per detector, a column per data set, anomaly and training set; mean AUC over seeds.

    The best detectors against all anomalies after clean training come first.
    """
    means = auc.groupby([*CELL[:-1], "anomaly"], sort=False)["auc"].mean().reset_index()
    means["training"] = training_labels(means)
    wide = means.pivot(index="detector", columns=["dataset", "training", "anomaly"], values="auc")
    wide = wide[list(dict.fromkeys(means[["dataset", "training", "anomaly"]].itertuples(index=False, name=None)))]
    clean = [c for c in wide.columns if c[1:] == ("clean", ALL)]
    wide = wide.loc[wide[clean].mean(axis=1).sort_values(ascending=False, kind="stable").index]
    wide.columns = [" | ".join(column) for column in wide.columns]
    return wide.reset_index()


def published_table(auc: pd.DataFrame) -> pd.DataFrame:
    """The AUCs that others published, with ours for the same data set, detector and anomaly after clean training.

    The images, noise and counts differ (see config/README.md); `source` says where the published figure stands.
    """
    clean = auc[auc["contamination"] == 0]
    keys = ["dataset", "detector", "anomaly"]
    ours = clean.groupby(keys)[["auc", "auc_low", "auc_high"]].mean().reset_index()
    published = pd.read_csv(PUBLISHED, comment="#")
    merged = published.merge(ours, on=keys, how="left")
    return merged[[*keys, "published_auc", "auc", "auc_low", "auc_high", "source"]]
