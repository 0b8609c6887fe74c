"""Write the page on which the results of a study are explored: one HTML file without requests."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import oddlens
from oddlens.results.pages.explore.curve_facts import auc_facts, mass_facts
from oddlens.results.pages.explore.dataset_facts import dataset_facts
from oddlens.results.pages.explore.interactive_tables import interactive_tables
from oddlens.results.pages.explore.page import write_explore_page
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.result_files import read_result
from oddlens.results.tables.score_files import read_truth


def explore(
    path: str | Path,
    *,
    study: str,
    tables: Mapping[str, str | Path],
    scores: Mapping[str, Iterable[str | Path]],
    truths: Mapping[str, str | Path],
    shards: Mapping[str, Sequence[str | Path]],
    maps: Mapping[str, Iterable[str | Path]],
    rows: Mapping[str, Mapping],
    smooth: str,
) -> None:
    """Write the page.

    Args:
        path: of the page.
        study: the name of the study.
        tables: the paths of result tables, by name: `auc` and `detection`, and of those that the page shows
            (`interactive_tables.TITLES`) the ones that the study has.
        scores: for each data set the score files of all rows.
        truths: for each data set the truth of its images.
        shards: for each data set the shards of its test pool.
        maps: for each data set the files of maps of its rows.
        rows: for each row its `role`.
        smooth: the normal class.
    """
    read = {name: read_result(file) for name, file in tables.items()}
    facts: dict[str, Any] = {
        "study": study,
        "version": oddlens.__version__,
        "roles": {row: entry["role"] for row, entry in rows.items()},
        "auc": auc_facts(read["auc"]),
        "mass": mass_facts(read["detection"], read.get("completeness")),
    }
    datasets = [
        dataset_facts(DatasetScores.read(paths, smooth), read_truth(truths[name]), shards[name], maps[name])
        for name, paths in scores.items()
    ]
    write_explore_page(path, study=facts, datasets=datasets, tables=interactive_tables(read))
