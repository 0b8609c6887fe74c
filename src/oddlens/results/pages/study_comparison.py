"""Several studies side by side: AUCs of rows of the same name on data sets of the same simulation."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from oddlens.results.pages.paired_differences import indistinguishable
from oddlens.results.pages.study_results import StudyResults
from oddlens.results.tables.columns import ALL

MAX_STUDIES = 6
"""The studies that fit side by side on a page."""
KINDS = {
    "upper_bound": "Upper bounds: use the true model or labels",
    "physics": "Lens fit: assumes the lens model of the simulation",
    "detector": "Detectors: learn from unlabelled images",
    "external": "Outside scores: computed by other programs",
    "reference": "References: classical outlier detectors",
    "control": "Controls: expected at chance level",
}
"""The kinds of rows, in the order of the table, and their headings."""


def boards(studies: Sequence[StudyResults], datasets: Sequence[str]) -> list[dict[str, Any]]:
    """Tables of AUCs of data sets in all studies with the simulation of the first: one table, or one for each data set.

    A table has `columns`, which are pairs of data set and study, the number of studies `left_out`, and `groups` of rows
    by the headings of `KINDS`, best first. A row has a cell for each column, a line of `StudyResults.judged` or None.
    """
    every = {
        dataset: [s for s in studies if s.same_simulation(dataset, studies[0]) and dataset in set(s.judged["dataset"])]
        for dataset in datasets
    }
    left_out = {dataset: max(0, len(having) - MAX_STUDIES) for dataset, having in every.items()}
    columns = [(dataset, study) for dataset, having in every.items() for study in having[:MAX_STUDIES]]
    if len(columns) <= MAX_STUDIES:
        return [_board(columns, 0)]
    return [_board([c for c in columns if c[0] == dataset], left_out[dataset]) for dataset in datasets]


def _board(columns: Sequence[tuple[str, StudyResults]], left_out: int) -> dict[str, Any]:
    lines: dict[str, list[dict[str, Any] | None]] = {}
    for k, (dataset, study) in enumerate(columns):
        own = study.judged[study.judged["dataset"] == dataset]
        for line in own.to_dict("records"):
            lines.setdefault(str(line["detector"]), [None] * len(columns))[k] = {str(c): v for c, v in line.items()}
    groups: dict[str, list[dict[str, Any]]] = {heading: [] for heading in KINDS.values()}
    for row, cells in sorted(lines.items(), key=lambda item: -max(cell["auc"] for cell in item[1] if cell)):
        kind = next(cell["kind"] for cell in cells if cell)
        if kind in KINDS:
            groups[KINDS[kind]].append({"row": row, "cells": cells})
    return {"columns": columns, "left_out": left_out, "groups": {name: rows for name, rows in groups.items() if rows}}


def leader(studies: Sequence[StudyResults], dataset: str, kind: str) -> dict[str, Any] | None:
    """The line of the best row of a kind on a data set, in the first study that has one with the same simulation.

    The line has also the `study`, the number of `rows` of that kind, and those without a significant difference to the
    best (`equals`).
    """
    for study in (study for study in studies if study.same_simulation(dataset, studies[0])):
        every = study.judged
        lines = every[(every["dataset"] == dataset) & (every["kind"] == kind)]
        if len(lines):
            best: dict[str, Any] = {str(k): v for k, v in lines.nlargest(1, "auc").iloc[0].items()}
            pairs, names = study.table("pairs"), set(lines["detector"])
            equals = [] if pairs is None else indistinguishable(pairs, dataset, best["detector"])
            return best | {"study": study, "rows": len(lines), "equals": [row for row in equals if row in names]}
    return None


def published_by_study(studies: Sequence[StudyResults]) -> dict[str, Any] | None:
    """Published AUCs against all anomalies, and those of our rows of the same detector in each study; None without any.

    Only data sets with the name of the published one are compared.
    """
    tables = {study.name: study.table("published") for study in studies}
    parts = [table.assign(study=name) for name, table in tables.items() if table is not None]
    if not parts:
        return None
    every = pd.concat(parts)
    every = every.loc[(every["anomaly"] == ALL) & (every["dataset"] == every["reproduces"])].dropna(subset="auc")
    names = set(every["study"])
    shown = [study for study in studies if study.name in names][:MAX_STUDIES]
    keys = ["dataset", "published", "training", "published_auc", "source", "detector"]
    rows: list[dict[str, Any]] = []
    for values, own in every.groupby(keys, sort=False):
        by_study = {str(line["study"]): line for line in own.to_dict("records")}
        cells = [by_study.get(study.name) for study in shown]
        if any(cells):
            rows.append({**dict(zip(keys, values, strict=True)), "cells": cells})
    rows.sort(key=lambda row: (row["dataset"], row["training"], -row["published_auc"], row["detector"]))
    return {"studies": shown, "left_out": len(names) - len(shown), "rows": rows} if rows else None
