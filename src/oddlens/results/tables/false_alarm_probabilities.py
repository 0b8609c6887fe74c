"""How odd images are, as the probability that a smooth lens scores as high: whether it holds, and the oddest images."""

import numpy as np
import pandas as pd
from scipy import stats

from oddlens.data.splits import IDENTITY
from oddlens.results.tables.conventions import ALL, MODEL, ROW
from oddlens.results.tables.scored import Scored
from oddlens.statistics import metrics
from oddlens.statistics.false_alarm import false_alarm

CLAIMS = [20, 100, 1000]
"""One in so many is claimed, and held against what smooth test images do."""
COLUMNS = ["dataset", *MODEL, "n_validation", "n_normal", "ks", "ks_p"]
COLUMNS += [f"realised_{claim}{end}" for claim in CLAIMS for end in ("", "_low", "_high")]
COLUMNS += ["odd_median", "odd_beyond"]
MOST_ANOMALOUS = 20
"""So many images of each row are named."""
MOST_ANOMALOUS_COLUMNS = ["dataset", *ROW, "rank", "id", *IDENTITY, "false_alarm_probability"]


def claims(scored: Scored) -> np.ndarray:
    """The false-alarm probability of each test image by each model, calibrated on validation images, [models, images].

    NaN elsewhere: other images, models that diverged, and training on anything but clean (or labelled) images.
    """
    test, validation = scored.images["pool"].to_numpy() == "test", scored.positions(scored.smooth, "validation")
    claimed = np.full(scored.values.shape, np.nan)
    for k in np.flatnonzero(scored.at_home & (scored.models["status"] == "ok")):
        claimed[k, test] = false_alarm(scored.values[k, test], scored.values[k, validation])
    return claimed


def false_alarm_probabilities_table(scored: Scored, claimed: np.ndarray) -> pd.DataFrame:
    """`false_alarm_probabilities.csv`: for each model after clean (or labelled) training, whether smooth test images bear out its claims.

    `realised_20` is the part of them that gets 1 in 20 or less, with its interval over test images for the calibration
    as it is (Clopper-Pearson). `ks` is the distance between the distributions of the scores of smooth test and
    validation images and `ks_p` its p (Kolmogorov-Smirnov, two samples: validation images are a draw too, and a test
    of uniformity would count their luck as a fault). Of the odd images `odd_median` is the median probability and
    `odd_beyond` the part below one in 1,000.
    """
    validation, normal = scored.positions(scored.smooth, "validation"), scored.positions(scored.smooth)
    models, scores, claimed = scored.models[scored.at_home], scored.values[scored.at_home], claimed[scored.at_home]
    smooth, odd = claimed[:, normal], claimed[:, scored.positions(ALL)]
    ks = stats.ks_2samp(scores[:, normal], scores[:, validation], axis=1, method="asymp")
    found = {"ks": ks.statistic, "ks_p": ks.pvalue}
    for claim in CLAIMS:
        rate = (smooth <= 1 / claim).mean(axis=1)
        low, high = metrics.rate_interval(rate, np.full(len(rate), len(normal)))
        found |= {f"realised_{claim}": rate, f"realised_{claim}_low": low, f"realised_{claim}_high": high}
    found |= {"odd_median": np.median(odd, axis=1), "odd_beyond": (odd < 1 / CLAIMS[-1]).mean(axis=1)}
    figures = pd.DataFrame(found, index=models.index)
    figures.loc[np.isnan(smooth).any(axis=1)] = np.nan
    models = models.assign(dataset=scored.dataset, n_validation=len(validation), n_normal=len(normal))
    return models.join(figures)[COLUMNS]


def most_anomalous_table(scored: Scored, claimed: np.ndarray) -> pd.DataFrame:
    """`most_anomalous.csv`: the oddest test images of each row after clean (or labelled) training, most improbable first.

    `id` names an image for `oddlens image`, `chance` is the median over seeds of its false-alarm probability; between
    equal ones the median rank of the score decides.
    """
    test = np.flatnonzero(scored.images["pool"] == "test")
    images = scored.images.iloc[test]
    names = ["/".join(map(str, (scored.dataset, *image))) for image in images.itertuples(index=False)]
    images = images.assign(dataset=scored.dataset, id=names)
    parts = [pd.DataFrame(columns=MOST_ANOMALOUS_COLUMNS)]
    known = scored.models[~np.isnan(claimed[:, test]).any(axis=1)]
    for _, models in known.groupby(ROW, sort=False):
        seeds = models.index.to_numpy()
        chance = np.median(claimed[seeds][:, test], axis=0)
        rank = np.median(stats.rankdata(scored.values[seeds][:, test], axis=1), axis=0)
        first = np.lexsort((-rank, chance))[:MOST_ANOMALOUS]
        table = images.iloc[first].assign(rank=np.arange(1, len(first) + 1), false_alarm_probability=chance[first])
        parts.append(table.merge(models[ROW].drop_duplicates(), how="cross")[MOST_ANOMALOUS_COLUMNS])
    return pd.concat(parts[1:] or parts)
