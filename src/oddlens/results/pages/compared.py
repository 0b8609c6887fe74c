"""Studies side by side: AUCs against all anomalies of rows that are called alike, on data sets of the same simulation."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from oddlens.results.pages.detection import both_ways
from oddlens.results.pages.studies import Study
from oddlens.results.tables.columns import ALL
from oddlens.results.tables.thresholds import SIGNIFICANCE_LEVEL

MOST = 6
"""So many studies stand side by side; a page has no room for more."""
KINDS = {
    "upper_bound": "Ceilings, which know what detectors may not",
    "physics": "A fit of physics, which knows how lenses are made",
    "detector": "Detectors, which learn from unlabelled images alone",
    "reference": "Classical outlier detectors",
    "control": "Controls, which should be blind",
}


def boards(studies: Sequence[Study], datasets: Sequence[str]) -> list[dict[str, Any]]:
    """Data sets in all studies that have the simulation of the first: as one table if it has room, or each as one.

    Each has its `columns`, a data set and a study, how many studies were `left_out`, and `groups` of rows, best first,
    with what each row has in each column: a line of `Study.judged`, or None.
    """
    every = {
        dataset: [s for s in studies if s.like(dataset, studies[0]) and dataset in set(s.judged["dataset"])]
        for dataset in datasets
    }
    left_out = {dataset: max(0, len(found) - MOST) for dataset, found in every.items()}
    columns = [(dataset, study) for dataset, found in every.items() for study in found[:MOST]]
    if len(columns) <= MOST:
        return [_board(columns, 0)]
    return [_board([c for c in columns if c[0] == dataset], left_out[dataset]) for dataset in datasets]


def _board(columns: Sequence[tuple[str, Study]], left_out: int) -> dict[str, Any]:
    lines: dict[str, list[dict[str, Any] | None]] = {}
    for k, (dataset, study) in enumerate(columns):
        own = study.judged[study.judged["dataset"] == dataset]
        for line in own.to_dict("records"):
            lines.setdefault(str(line["detector"]), [None] * len(columns))[k] = {str(c): v for c, v in line.items()}
    found: dict[str, list[dict[str, Any]]] = {words: [] for words in KINDS.values()}
    for row, cells in sorted(lines.items(), key=lambda item: -max(cell["auc"] for cell in item[1] if cell)):
        kind = next(cell["kind"] for cell in cells if cell)
        if kind in KINDS:
            found[KINDS[kind]].append({"row": row, "cells": cells})
    groups = {words: rows for words, rows in found.items() if rows}
    return {"columns": columns, "left_out": left_out, "groups": groups}


def leader(studies: Sequence[Study], dataset: str, kind: str) -> dict[str, Any] | None:
    """The best row of a kind on a data set, of the first study that has one on the simulation of the first of them; with the
    `study` and the rows of that kind that its test images cannot tell from it (`equals`)."""
    for study in (study for study in studies if study.like(dataset, studies[0])):
        every = study.judged
        lines = every[(every["dataset"] == dataset) & (every["kind"] == kind)]
        if len(lines):
            best: dict[str, Any] = {str(k): v for k, v in lines.nlargest(1, "auc").iloc[0].items()}
            return best | {"study": study, "rows": len(lines), "equals": _equals(study, best, set(lines["detector"]))}
    return None


def _equals(study: Study, best: Mapping[str, Any], others: set[str]) -> list[str]:
    pairs = study.table("pairs")
    if pairs is None:
        return []
    chosen = pairs[(pairs["dataset"] == best["dataset"]) & (pairs["training"] == "clean") & (pairs["anomaly"] == ALL)]
    both = both_ways(chosen)
    return [
        b for b in both.loc[(both["a"] == best["detector"]) & (both["p_holm"] > SIGNIFICANCE_LEVEL), "b"] if b in others
    ]


def beside_published(studies: Sequence[Study]) -> dict[str, Any] | None:
    """Published AUCs against all anomalies and ours of the same detector, on data sets of the published names, study by
    study; None if there are none."""
    tables = {study.name: study.table("published") for study in studies}
    parts = [table.assign(study=name) for name, table in tables.items() if table is not None]
    if not parts:
        return None
    every = pd.concat(parts)
    every = every.loc[(every["anomaly"] == ALL) & (every["dataset"] == every["reproduces"])].dropna(subset="auc")
    names = set(every["study"])
    shown = [study for study in studies if study.name in names][:MOST]
    keys = ["dataset", "published", "training", "published_auc", "source", "detector"]
    rows: list[dict[str, Any]] = []
    for values, own in every.groupby(keys, sort=False):
        cells = {str(line["study"]): line for line in own.to_dict("records")}
        found = [cells.get(study.name) for study in shown]
        if any(found):
            rows.append({**dict(zip(keys, values, strict=True)), "cells": found})
    rows.sort(key=lambda row: (row["dataset"], row["training"], -row["published_auc"], row["detector"]))
    return {"studies": shown, "left_out": len(names) - len(shown), "rows": rows} if rows else None
