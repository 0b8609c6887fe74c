"""A short text table of the results of a study, for the terminal."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from oddlens.files.names import printable
from oddlens.results.tables.columns import ALL, UNCONTAMINATED
from oddlens.results.tables.ranking import CONSENSUS
from oddlens.results.tables.result_files import read_result
from oddlens.statistics.false_alarm import one_in

N_DETECTORS = 3
"""How many of the best detectors are listed for each data set."""
LENS_FIT = "lensfit"
"""The beginning of the names of rows that fit lenses, which are those of their detector."""
KINDS = {"detector": "detector", "lens_fit": "lens fit", "external": "outside", "upper_bound": "upper bound"}
"""The kinds of rows listed, in order, and their labels."""
N_IMAGES = 5
"""How many of the most anomalous images of the user's own files are listed."""
MAX_FILE = 78
"""Longer paths are cut."""
MAX_NAME = 40
"""Longer names of rows are cut, so that lines have at most 100 characters."""


def summary_text(study_folder: Path | str) -> str:
    """The best detectors, the lens fits and the upper bounds of each data set, and the path of the report.

    AUCs are against all anomalies after clean (or labelled) training, with 95 % intervals over test images and, if
    there are several seeds, over seeds. They are read from `tables/summary.csv`. For data sets of the user's own images
    the most anomalous ones follow, from `tables/ranking.csv`, if there is this table.

    Raises:
        OSError: if the table cannot be read.
    """
    folder = Path(study_folder)
    summary = pd.read_csv(folder / "tables" / "summary.csv")
    chosen = summary[(summary["anomaly"] == ALL) & summary["contaminant"].isin(UNCONTAMINATED)]
    names = chosen["detector"]
    width = min(names.str.len().max(), MAX_NAME) if len(names) else 0
    lines = []
    if len(chosen) or not (folder / "tables" / "ranking.csv").is_file():
        lines += [f"Study {folder.name}: AUC against all anomalies after clean training", ""]
        lines.append(f"  {'':<13}{'row':<{width}}  {'AUC':<5}  {'95 % over images':<16}  95 % over seeds")
    for dataset, rows in chosen.groupby("dataset", sort=False):
        lines += [str(dataset), *_dataset_lines(rows, width)]
    lines += _most_anomalous_lines(folder, bool(lines))
    lines += ["", f"Report: {folder / 'report.html'}"]
    return "\n".join(lines)


def _dataset_lines(rows: pd.DataFrame, width: int) -> Iterator[str]:
    """The lines of one data set."""
    rows = rows.dropna(subset="auc").sort_values("auc", ascending=False, kind="stable")
    fits = rows["detector"].str.startswith(LENS_FIT) & (rows["role"] == "detector")
    kinds = rows["role"].mask(fits, "lens_fit")
    if not kinds.isin(KINDS).any():
        yield "  no detector and no upper bound converged"
    for kind, label in KINDS.items():
        of_kind = rows[kinds == kind]
        for row in (of_kind.head(N_DETECTORS) if kind == "detector" else of_kind).to_dict("records"):
            images, seeds = (_interval(row, name) for name in ("auc", "seed"))
            name = str(row["detector"])[:width]
            yield f"  {label:<13}{name:<{width}}  {row['auc']:.3f}  {images:<16}  {seeds}".rstrip()


def _most_anomalous_lines(folder: Path, below_aucs: bool) -> Iterator[str]:
    """The most anomalous images of data sets of the user's own files."""
    path = folder / "tables" / "ranking.csv"
    if not path.is_file():
        return
    ranking = read_result(path)
    yield from [""] if below_aucs else []
    study = "" if below_aucs else f"Study {folder.name}: "
    yield f"{study}Most anomalous images (how many normal images are as anomalous)"
    for dataset, images in ranking.groupby("dataset", sort=False):
        yield str(dataset)
        for image in images.head(N_IMAGES).to_dict("records"):
            yield f"  {image['rank']:>2}  {one_in(image[CONSENSUS]):<14}  {_shown(image['file'])}"


def _shown(file: str) -> str:
    """The end of a path on one line, in printable characters."""
    text = printable(file)
    return text if len(text) <= MAX_FILE else f"…{text[1 - MAX_FILE :]}"


def _interval(row: dict, name: str) -> str:
    """An interval as text; a dash if there is none."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "–" if pd.isna(low) else f"{low:.3f} to {high:.3f}"
