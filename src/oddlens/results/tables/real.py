"""Real lenses: the ranks of those with a claimed substructure, and the effect of real noise on detectors.

It is unknown which real lenses have no substructure, so that there is no AUC of real lenses.
"""

from collections.abc import Iterable
from math import comb
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

SCORE_COLUMNS = ["lens", "object", "claimed", "dataset", "detector", "seed"]
SCORE_COLUMNS += ["score", "percentile", "false_alarm_probability", "standardised_score", "problem"]
"""`standardised_score`: the score minus the mean of simulated smooth lenses, in their standard deviations. Findings
follow."""
NOISE_COLUMNS = ["dataset", "frame", "detector", "seed", "images", "tiles", "noise_ratio"]
NOISE_COLUMNS += ["auc_simulated", "auc_simulated_low", "auc_simulated_high", "auc_real", "auc_real_low"]
NOISE_COLUMNS += ["auc_real_high", "change", "change_low", "change_high", "shift", "problem"]
CLAIM_COLUMNS = ["dataset", "detector", "claimed", "rank", "lenses", "p", "min_p", "summary"]
NAME_COLUMNS = {"real": ["lens", "object"], "real_noise": ["frame"], "real_claims": ["claimed", "rank"]}
"""Text of the tables of real lenses that may look like numbers: a lens may be called 007 or NA."""


def names_as_text(table: str) -> dict[str, Any]:
    """The keywords with which pandas reads a table of real lenses, so that names stay as they are."""
    return {"dtype": dict.fromkeys(NAME_COLUMNS.get(table, []), str), "keep_default_na": False, "na_values": [""]}


def read_real(path: Path | str, table: str) -> pd.DataFrame:
    """A table of real lenses: `real`, `real_noise` or `real_claims`, or that of one data set."""
    return pd.read_csv(path, **names_as_text(table))


def joined(paths: Iterable[Path | str], table: str) -> pd.DataFrame:
    """Tables of several data sets as one."""
    return pd.concat([read_real(path, table) for path in paths], ignore_index=True)


def problem_lines(scores: pd.DataFrame) -> list[str]:
    """A line for each lens that no model of a data set could score, and for each model that could score no lens.

    A problem that is the same on several data sets is one line, which names them if they are not all.
    """
    every, places = set(scores["dataset"]), dict[tuple[str, str], list[str]]()
    for _, line in scores.dropna(subset="problem").iterrows():
        name = line["lens"] if pd.isna(line["detector"]) else f"{line['detector']}, seed {line['seed']:.0f}"
        places.setdefault((name, line["problem"]), []).append(line["dataset"])
    lines = []
    for (name, problem), datasets in places.items():
        on_all = len(every) > 1 and set(datasets) == every
        lines.append(f"{name}: {problem}" if on_all else f"{name} on {', '.join(datasets)}: {problem}")
    return lines


def claims_table(scores: pd.DataFrame) -> pd.DataFrame:
    """`real_claims.csv`: for each row the ranks of the claimed lenses among all real lenses, highest score first.

    Each object has one value, the mean of `standardised_score` over its bands and over seeds, because its bands are
    not independent. `p` is that of the exact permutation (Mann-Whitney) test: the fraction of all choices of as many
    claimed lenses that rank as high or higher. `min_p` is the smallest p possible with so few lenses. The table is
    empty if no lens, or every lens, is claimed.

    Args:
        scores: the table `real`.
    """
    known = scores.dropna(subset="standardised_score")
    values = known.groupby(["dataset", "detector", "object"], sort=False).agg(
        value=("standardised_score", "mean"), claimed=("claimed", "max")
    )
    lines = []
    for (dataset, detector), lenses in values.groupby(level=[0, 1], sort=False):
        claimed = lenses["claimed"] > 0
        if claimed.any() and not claimed.all():
            ranks = lenses["value"].rank(ascending=False, method="max").astype(int)  # ties do not improve a rank
            objects = [str(name) for name in lenses.index.get_level_values("object")]
            lines.append(_claim(str(dataset), str(detector), ranks.set_axis(objects), claimed.to_numpy()))
    return pd.DataFrame(lines, columns=CLAIM_COLUMNS)


def _claim(dataset: str, detector: str, ranks: pd.Series, claimed) -> dict:
    """A line of `real_claims.csv`: `ranks` by object, and which of them are claimed."""
    n, k = len(ranks), int(claimed.sum())
    method = "exact" if ranks.is_unique else "auto"
    test = stats.mannwhitneyu(-ranks[claimed], -ranks[~claimed], alternative="greater", method=method)
    p, min_p = float(ranks[claimed].item() / n) if k == 1 else float(test.pvalue), 1 / comb(n, k)
    found = ", ".join(f"{name} ranks {rank}" for name, rank in ranks[claimed].items())
    return {
        "dataset": dataset,
        "detector": detector,
        "claimed": ", ".join(ranks.index[claimed]),
        "rank": " ".join(map(str, ranks[claimed])),
        "lenses": n,
        "p": p,
        "min_p": min_p,
        "summary": f"{detector} on {dataset}: {found} of n = {n} real lenses, p = {p:.2g}; with so few no p below "
        f"{min_p:.2g} is possible",
    }
