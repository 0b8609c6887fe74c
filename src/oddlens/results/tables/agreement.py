"""Agreement about the user's own test images: of different rows, and of the seeds of a row."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.ranking import row_values
from oddlens.statistics import metrics

TOP = 10
"""The number of most anomalous images of which the overlap is counted."""
TOP_FRACTION = 0.01
"""The same as a fraction of the test images, for large samples."""
COMPARED = ("detector", "external", "reference", "control")
COLUMNS = ["dataset", "kind", "a", "b", "images", "correlation", "correlation_low", "correlation_high"]
COLUMNS += [f"{name}_{top}" for top in ("top", "top_fraction") for name in ("n", "overlap", "chance")]


def agreement_table(scores: DatasetScores, rows: Mapping[str, Mapping]) -> pd.DataFrame:
    """`agreement.csv`: for each pair of rows (`rows`), and for each pair of seeds of a row (`seeds`), their agreement.

    `correlation` is Spearman's rank correlation of the scores of the test images, with its 95 % interval over objects
    (Bonett & Wright 2000). `overlap_top` is the fraction of the `n_top` most anomalous images by a that are among those
    by b; `chance_top` is what independent rankings have in expectation. `overlap_top_fraction` is the same for the most
    anomalous hundredth. The rows of pairs are compared by the median rank of an image over seeds.

    Agreement is no proof: rows that see the same artefact agree. Without it, at most one of two rows can be right.

    Args:
        scores: of all models of the data set.
        rows: the `role` of each row.
    """
    by_row = row_values(scores, stats.rankdata(scores.values, axis=1))
    names = [row for row in map(str, by_row) if rows[row]["role"] in COMPARED]
    lenses = len(np.unique(scores.lens[by_row.index]))
    lines = []
    for a, b in combinations(names, 2):
        lines.append({"kind": "rows", "a": a, "b": b} | agreement(by_row[a].to_numpy(), by_row[b].to_numpy(), lenses))
    lines += _of_seeds(scores, by_row.index.to_numpy(), names, lenses)
    return pd.DataFrame(lines, columns=COLUMNS).assign(dataset=scores.dataset)


def _of_seeds(scores: DatasetScores, test: np.ndarray, rows: list[str], lenses: int) -> Iterator[dict[str, Any]]:
    models = scores.models[scores.uncontaminated & scores.converged]
    for row in rows:
        seeds = models[models["detector"] == row]
        for one, other in combinations(seeds.index, 2):
            names = {end: f"{row}/{seeds.loc[k, 'seed']}" for end, k in (("a", one), ("b", other))}
            yield {"kind": "seeds", **names} | agreement(scores.values[one, test], scores.values[other, test], lenses)


def agreement(a: np.ndarray, b: np.ndarray, lenses: int) -> dict[str, float]:
    """The columns on the agreement of scores a and b [images] of images that show so many lenses."""
    constant = np.ptp(a) == 0 or np.ptp(b) == 0
    correlation = np.nan if constant else float(stats.spearmanr(a, b).statistic)
    low, high = _interval(correlation, lenses)
    n = len(a)
    columns: dict[str, float] = {"images": n, "correlation": correlation}
    columns |= {"correlation_low": low, "correlation_high": high}
    for name, count in (("top", min(TOP, n)), ("top_fraction", max(1, round(TOP_FRACTION * n)))):
        first = [set(np.argsort(-scores, kind="stable")[:count]) for scores in (a, b)]
        overlap = len(first[0] & first[1]) / count
        columns |= {f"n_{name}": count, f"overlap_{name}": overlap, f"chance_{name}": count / n}
    return columns


def _interval(correlation: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a rank correlation of n independent pairs, by Fisher's transformation."""
    if n < 4 or np.isnan(correlation):
        return np.nan, np.nan
    width = metrics.HALF_WIDTH_SIGMA * np.sqrt((1 + correlation**2 / 2) / (n - 3))
    centre = np.arctanh(np.clip(correlation, -1 + 1e-12, 1 - 1e-12))
    return float(np.tanh(centre - width)), float(np.tanh(centre + width))
