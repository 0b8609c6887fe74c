"""Real lenses side by side: where those with a claimed substructure rank, and what real noise does to detectors.

Nobody knows which real lens has no substructure, so nothing here is an AUC of real lenses.
"""

from collections.abc import Iterable
from math import comb
from pathlib import Path

import pandas as pd
from scipy import stats

SCORE_COLUMNS = ["lens", "object", "claimed", "dataset", "detector", "seed"]
SCORE_COLUMNS += ["score", "percentile", "false_alarm_probability", "deviations", "problem"]
"""`deviations`: the score less the mean of simulated smooth lenses, in their standard deviations. Findings follow."""
NOISE_COLUMNS = ["dataset", "frame", "detector", "seed", "images", "tiles", "noise_ratio"]
NOISE_COLUMNS += ["auc_simulated", "auc_simulated_low", "auc_simulated_high", "auc_real", "auc_real_low"]
NOISE_COLUMNS += ["auc_real_high", "change", "change_low", "change_high", "shift", "problem"]
CLAIM_COLUMNS = ["dataset", "detector", "claimed", "rank", "lenses", "p", "least_p", "words"]


def joined(paths: Iterable[Path | str]) -> pd.DataFrame:
    """Tables of several data sets as one."""
    return pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)


def problem_lines(scored: pd.DataFrame) -> list[str]:
    """What could not be scored, a line each: a lens by any model of a data set, or any lens by a model."""
    lines = []
    for _, line in scored.dropna(subset="problem").iterrows():
        who = line["lens"] if pd.isna(line["detector"]) else f"{line['detector']}, seed {line['seed']:.0f}"
        lines.append(f"{who} on {line['dataset']}: {line['problem']}")
    return lines


def claims_table(scored: pd.DataFrame) -> pd.DataFrame:
    """`real_claims.csv`: for each row how the claimed lenses rank among all real ones, highest score first.

    An object has one value, the mean of `deviations` over its bands and over seeds, as its bands are not independent.
    `p` is that of the exact permutation (Mann-Whitney) test: among all ways of claiming as many of the lenses, the part
    with ranks as high or higher. `least_p` is the least that so few lenses can give. Empty if there is no claim, or
    nothing else.
    """
    found = scored.dropna(subset="deviations")
    values = found.groupby(["dataset", "detector", "object"], sort=False).agg(
        value=("deviations", "mean"), claimed=("claimed", "max")
    )
    lines = []
    for (dataset, detector), lenses in values.groupby(level=[0, 1], sort=False):
        claimed = lenses["claimed"] > 0
        if claimed.all() or not claimed.any():
            continue
        ranks = lenses["value"].rank(ascending=False, method="max").astype(int)  # ties do not flatter
        n, k = len(lenses), int(claimed.sum())
        test = stats.mannwhitneyu(
            -ranks[claimed], -ranks[~claimed], alternative="greater", method="exact" if ranks.is_unique else "auto"
        )
        p = float(ranks[claimed].item() / n) if k == 1 else float(test.pvalue)
        names = [str(name) for name in lenses.index.get_level_values("object")[claimed]]
        at = ", ".join(f"{name} ranks {rank}" for name, rank in zip(names, ranks[claimed], strict=True))
        words = (
            f"{detector} on {dataset}: {at} of n = {n} real lenses, p = {p:.2g}; with so few no p below "
            f"{1 / comb(n, k):.2g} is possible"
        )
        lines.append(
            {
                "dataset": dataset,
                "detector": detector,
                "claimed": ", ".join(names),
                "rank": " ".join(map(str, ranks[claimed])),
                "lenses": n,
                "p": p,
                "least_p": 1 / comb(n, k),
                "words": words,
            }
        )
    return pd.DataFrame(lines, columns=CLAIM_COLUMNS)
