"""The scores of real lenses among those of simulated smooth lenses: lines of `real.csv`, and the table as text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from oddlens.observations.lens_index import LensEntry
from oddlens.results.tables.findings import FLAGS
from oddlens.results.tables.real import SCORE_COLUMNS
from oddlens.statistics.false_alarm import false_alarm, one_in


def identity(entry: LensEntry, dataset: str) -> dict[str, Any]:
    """The columns that name a lens and a data set."""
    return {"lens": entry.label, "object": entry.object, "claimed": int(entry.claimed), "dataset": dataset}


def score_lines(
    entries: Sequence[LensEntry],
    scores: np.ndarray,
    findings: Mapping[str, np.ndarray],
    smooth_scores: np.ndarray,
    *,
    dataset: str,
    detector: str,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """A line for each lens with its score by a model; the columns are `SCORE_COLUMNS` and the findings.

    Args:
        scores: [lenses].
        findings: [lenses], by name.
        smooth_scores: of simulated smooth validation images by the same model, [n].
    """
    probability = false_alarm(scores, smooth_scores)
    scatter = smooth_scores.std(ddof=1)
    for k, entry in enumerate(entries):
        yield {
            **identity(entry, dataset),
            "detector": detector,
            "seed": seed,
            "score": float(scores[k]),
            "percentile": percentile(scores[k], smooth_scores),
            "false_alarm_probability": probability[k],
            "standardised_score": float(scores[k] - smooth_scores.mean()) / scatter if scatter > 0 else np.nan,
            **{name: float(values[k]) for name, values in findings.items()},
        }


def percentile(score: float, reference: np.ndarray) -> float:
    """The percentage of the reference scores that are below a score; ties count half."""
    return 100 * float(np.sum(reference < score) + np.sum(reference <= score)) / (2 * len(reference))


def scores_table(lines: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Lines of scores and of problems as a table: `SCORE_COLUMNS`, then the findings."""
    table = pd.DataFrame(lines)
    return table.reindex(columns=[*SCORE_COLUMNS, *(column for column in table if column not in SCORE_COLUMNS)])


def scores_text(table: pd.DataFrame) -> str:
    """Percentiles and false-alarm probabilities, means over seeds: a line for each lens and row, a column for each
    data set. Flags of findings follow."""
    scored = table[table["score"].notna()]
    if not len(scored):
        return "no lens was scored"
    keys = ["lens", "detector", "dataset"]
    means = scored.groupby(keys, sort=False)[["percentile", "false_alarm_probability"]].mean()
    texts = means["percentile"].map("{:.1f}".format) + " (" + means["false_alarm_probability"].map(one_in) + ")"
    flags = scored.reindex(columns=[*keys, *FLAGS]).groupby(keys, sort=False)[FLAGS].max()
    for flag in FLAGS:
        texts += np.where(flags[flag] == 1, f", {flag.replace('_', ' ')}", "")
    return texts.unstack(fill_value="–").reset_index().rename_axis(columns=None).to_string(index=False)
