"""Compute all result tables of a study from its score files."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from oddlens.results.tables.agreement import agreement_table
from oddlens.results.tables.anomaly_maps import anomaly_maps_table
from oddlens.results.tables.auc import SUMMARY_COLUMNS, auc_table, comparison_table, models_without_auc, summary_table
from oddlens.results.tables.bins import bins_table
from oddlens.results.tables.columns import ALL, AS_GIVEN, CLEAN_LABEL
from oddlens.results.tables.contamination import COLUMNS as CONTAMINATION_COLUMNS
from oddlens.results.tables.contamination import contamination_table
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.decoys import decoys_table
from oddlens.results.tables.detection import detection_table
from oddlens.results.tables.false_alarm_probabilities import (
    false_alarm_probabilities,
    false_alarm_probabilities_table,
    most_anomalous_table,
)
from oddlens.results.tables.false_alarms import false_alarms_table
from oddlens.results.tables.findings import findings_table
from oddlens.results.tables.fit_convergence import fit_convergence_table
from oddlens.results.tables.localisation import localisation_table
from oddlens.results.tables.noise import median_signal, noise_table
from oddlens.results.tables.pairs import ABLATIONS_COLUMNS, PAIRS_COLUMNS, ablation_table, pairs_table
from oddlens.results.tables.population import population_table
from oddlens.results.tables.published import published_table
from oddlens.results.tables.ranking import ranking_table
from oddlens.results.tables.ranks import ranks_table, wilcoxon_table
from oddlens.results.tables.result_files import write_result
from oddlens.results.tables.sample_names import sample_names
from oddlens.results.tables.samples import samples_table
from oddlens.results.tables.score_files import read_truth
from oddlens.results.tables.selection import selection_table

Files = Iterable[str | Path]
EMPTY = {
    "summary": SUMMARY_COLUMNS,
    "pairs": PAIRS_COLUMNS,
    "ablations": ABLATIONS_COLUMNS,
    "contamination": CONTAMINATION_COLUMNS,
}
"""The columns of tables that have no lines in a study without labels."""


def aggregate(
    outputs: Mapping[str, str | Path],
    *,
    scores: Mapping[str, Files],
    truths: Mapping[str, str | Path],
    findings: Mapping[str, Files],
    pixels: Mapping[str, Files],
    samples: Mapping[str, Files],
    fit_convergence: Files,
    rows: Mapping[str, Mapping],
    reproduces: Mapping[str, str],
    exposures: Mapping[str, str],
    smooth: str,
    detection: Mapping[str, Any],
) -> None:
    """Write the tables of `oddlens.results.tables`; `ranking` and `agreement` are of the user's own images.

    Args:
        outputs: the paths of the tables, by name.
        scores: for each data set the score files of all rows.
        truths: for each data set the simulation parameters of its images.
        findings: for each data set the findings of all rows.
        pixels: for each data set the pixel AUCs of all rows.
        samples: for each data set the sample quality of all rows.
        fit_convergence: the files of `oddlens.stages.fit_convergence`.
        rows: for each row its `role`, and the row that it `ablates` or the `sweep` it belongs to, if any.
        reproduces: for each data set the published data set with which it is compared.
        exposures: for data sets that differ from others in their exposure only, the first of these.
        smooth: the normal class.
        detection: the section `detection` of the config as plain data.
    """
    parts: dict[str, list[pd.DataFrame]] = {name: [pd.DataFrame(columns=columns)] for name, columns in EMPTY.items()}
    signal: dict[str, float] = {}
    for dataset, paths in scores.items():
        truth = read_truth(truths[dataset])
        signal[dataset] = median_signal(truth, smooth)
        of_dataset = DatasetScores.read(paths, smooth)
        tables_of = [*_auc_tables(of_dataset, rows), *_image_tables(of_dataset, truth, rows)]
        tables_of += _detection_tables(of_dataset, truth, findings[dataset], detection)
        for name, table in tables_of:
            parts.setdefault(name, []).append(table)
        parts.setdefault("findings", []).append(findings_table(findings[dataset], truth, smooth))
    tables = {name: _joined(of_name) for name, of_name in parts.items()}
    summary = tables["summary"]
    tables |= {
        "comparison": comparison_table(summary),
        "published": published_table(summary, reproduces),
        "noise": noise_table(summary, signal, exposures),
        "ranks": ranks_table(summary),
        "wilcoxon": wilcoxon_table(summary),
        "anomaly_maps": anomaly_maps_table(path for paths in pixels.values() for path in paths),
        "fit_convergence": fit_convergence_table(fit_convergence),
        "samples": samples_table(path for paths in samples.values() for path in paths),
    }
    for name, path in outputs.items():
        write_result(path, tables[name])


def _auc_tables(scores: DatasetScores, rows: Mapping[str, Mapping]) -> Iterator[tuple[str, pd.DataFrame]]:
    """The tables of one data set on its AUCs, by name. A table may come in several parts, or in none without labels."""
    clean = CLEAN_LABEL if scores.simulated else AS_GIVEN
    for aucs in scores.aucs_by_anomaly():
        auc = auc_table(scores, aucs)
        yield "auc", auc
        yield "summary", summary_table(aucs, auc, rows, clean)
        yield "pairs", pairs_table(aucs, rows, clean)
        yield "ablations", ablation_table(aucs, rows)
        yield "contamination", contamination_table(aucs)
        if aucs.anomaly == ALL:
            yield "selection", selection_table(scores, aucs, rows)
    if not scores.judged:
        yield "auc", models_without_auc(scores)
        yield "selection", selection_table(scores, None, rows)


def _image_tables(
    scores: DatasetScores, truth: pd.DataFrame, rows: Mapping[str, Mapping]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """The other tables of one data set by name."""
    yield "bins", bins_table(scores, truth)
    yield "population", population_table(scores, truth)
    yield "false_alarms", false_alarms_table(scores)
    probabilities, names = false_alarm_probabilities(scores), sample_names(scores, truth)
    yield "false_alarm_probabilities", false_alarm_probabilities_table(scores, probabilities)
    yield "most_anomalous", most_anomalous_table(scores, probabilities, names)
    if names is not None:
        yield "ranking", ranking_table(scores, probabilities, names, rows)
        yield "agreement", agreement_table(scores, rows)


def _detection_tables(
    scores: DatasetScores,
    truth: pd.DataFrame,
    findings: Files,
    detection: Mapping[str, Any],
) -> Iterator[tuple[str, pd.DataFrame]]:
    """The tables of one data set at fixed false-alarm rates, by name."""
    rates = detection["false_alarm_rates"]
    yield "detection", detection_table(scores, truth, rates, detection["mass_bins_per_decade"])
    yield "decoys", decoys_table(scores, rates)
    yield "localisation", localisation_table(scores, findings, truth, rates, detection["localised_arcsec"])


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Tables one below the other. Empty tables are left out, because their columns have no types."""
    return pd.concat([table for table in parts if len(table)] or parts[-1:], ignore_index=True)
