"""A short text table of the results of a study, for the terminal."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from oddlens.results.tables.columns import ALL, UNCONTAMINATED

N_DETECTORS = 3
"""How many of the best detectors are listed for each data set."""
LENS_FIT = "lensfit"
"""The beginning of the names of rows that fit lenses, which are those of their detector."""
KINDS = {"detector": "detector", "lens_fit": "lens fit", "external": "outside", "upper_bound": "upper bound"}
"""The kinds of rows listed, in order, and their labels."""
MAX_NAME = 40
"""Longer names of rows are cut, so that lines have at most 100 characters."""


def summary_text(study_folder: Path | str) -> str:
    """The best detectors, the lens fits and the upper bounds of each data set, and the path of the report.

    AUCs are against all anomalies after clean (or labelled) training, with 95 % intervals over test images and, if
    there are several seeds, over seeds. Everything is read from `tables/summary.csv`.

    Raises:
        OSError: if the table cannot be read.
    """
    folder = Path(study_folder)
    summary = pd.read_csv(folder / "tables" / "summary.csv")
    chosen = summary[(summary["anomaly"] == ALL) & summary["contaminant"].isin(UNCONTAMINATED)]
    names = chosen["detector"]
    width = min(names.str.len().max(), MAX_NAME) if len(names) else 0
    lines = [f"Study {folder.name}: AUC against all anomalies after clean training", ""]
    lines.append(f"  {'':<13}{'row':<{width}}  {'AUC':<5}  {'95 % over images':<16}  95 % over seeds")
    for dataset, rows in chosen.groupby("dataset", sort=False):
        lines += [str(dataset), *_dataset_lines(rows, width)]
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


def _interval(row: dict, name: str) -> str:
    """An interval as text; a dash if there is none."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "–" if pd.isna(low) else f"{low:.3f} to {high:.3f}"
