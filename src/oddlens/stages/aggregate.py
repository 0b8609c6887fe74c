"""All result tables of a study, from its score tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from oddlens.results.tables import conventions
from oddlens.results.tables.auc import auc_table, comparison_table, summary_table
from oddlens.results.tables.bins import bins_table
from oddlens.results.tables.contamination import contamination_table
from oddlens.results.tables.false_alarm_probabilities import (
    claims,
    false_alarm_probabilities_table,
    most_anomalous_table,
)
from oddlens.results.tables.false_alarms import false_alarms_table
from oddlens.results.tables.findings import findings_table
from oddlens.results.tables.fit_convergence import fit_convergence_table
from oddlens.results.tables.noise import median_signal, noise_table
from oddlens.results.tables.pairs import ablation_table, pairs_table
from oddlens.results.tables.pixels import pixels_table
from oddlens.results.tables.population import population_table
from oddlens.results.tables.published import published_table
from oddlens.results.tables.ranks import ranks_table, wilcoxon_table
from oddlens.results.tables.samples import samples_table
from oddlens.results.tables.scored import Scored
from oddlens.results.tables.selection import selection_table


def aggregate(
    outputs: Mapping[str, str | Path],
    *,
    scores: Mapping[str, Sequence[str | Path]],
    truths: Mapping[str, str | Path],
    findings: Mapping[str, Sequence[str | Path]],
    pixels: Mapping[str, Sequence[str | Path]],
    samples: Mapping[str, Sequence[str | Path]],
    starts: Sequence[str | Path],
    rows: Mapping[str, Mapping],
    reproduces: Mapping[str, str],
    exposures: Mapping[str, str],
    smooth: str,
) -> None:
    """Write all tables; each is described where it is made, in `oddlens.tables`. Inputs are by data set.

    Args:
        rows: of each detector row its `role`, and the row it `ablates` or the `sweep` it is of, if any.
        reproduces: of each data set the published one that it is held against.
        exposures: of data sets that differ from others in their exposure alone, the first of these.
    """
    parts: dict[str, list[pd.DataFrame]] = {}
    signal: dict[str, float] = {}
    for dataset, paths in scores.items():
        truth = conventions.read_truth(truths[dataset])
        signal[dataset] = median_signal(truth, smooth)
        for name, table in _of_dataset(Scored.read(paths, smooth), truth, rows):
            parts.setdefault(name, []).append(table)
        parts.setdefault("findings", []).append(findings_table(findings[dataset], truth, smooth))
    made = {name: _joined(found) for name, found in parts.items()}
    summary = made["summary"]
    made |= {
        "comparison": comparison_table(summary),
        "published": published_table(summary, reproduces),
        "noise": noise_table(summary, signal, exposures),
        "ranks": ranks_table(summary),
        "wilcoxon": wilcoxon_table(summary),
        "pixels": pixels_table(path for paths in pixels.values() for path in paths),
        "fit_convergence": fit_convergence_table(starts),
        "samples": samples_table(path for paths in samples.values() for path in paths),
    }
    for name, path in outputs.items():
        conventions.write(path, made[name])


def _of_dataset(scored: Scored, truth: pd.DataFrame, rows: Mapping[str, Mapping]):
    """The tables of one data set by name, in pieces."""
    for block in scored.blocks():
        auc = auc_table(scored, block)
        yield "auc", auc
        yield "summary", summary_table(block, auc, rows)
        yield "pairs", pairs_table(block, rows)
        yield "ablations", ablation_table(block, rows)
        yield "contamination", contamination_table(block)
        if block.anomaly == conventions.ALL:
            yield "selection", selection_table(scored, block, rows)
    yield "bins", bins_table(scored, truth)
    yield "population", population_table(scored, truth)
    yield "false_alarms", false_alarms_table(scored)
    claimed = claims(scored)
    yield "false_alarm_probabilities", false_alarm_probabilities_table(scored, claimed)
    yield "most_anomalous", most_anomalous_table(scored, claimed)


def _joined(found: list[pd.DataFrame]) -> pd.DataFrame:
    """One below the other; empty ones have no types of their own to bring."""
    return pd.concat([table for table in found if len(table)] or found[:1], ignore_index=True)
