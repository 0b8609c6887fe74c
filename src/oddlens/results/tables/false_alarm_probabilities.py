"""False-alarm probabilities of images: how well they are calibrated, and the most anomalous images."""

import numpy as np
import pandas as pd
from scipy import stats

from oddlens.data.splits import IDENTITY
from oddlens.results.tables.columns import ALL, MODEL, ROW
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.sample_names import SHEET
from oddlens.statistics import metrics
from oddlens.statistics.false_alarm import false_alarm

ONE_IN = [20, 100, 1000]
"""Probabilities of one in so many are compared with the observed rate among smooth test images."""
FIGURES = ["ks", "ks_p", *(f"realised_{number}{end}" for number in ONE_IN for end in ("", "_low", "_high"))]
FIGURES += ["anomalous_median", f"anomalous_below_{ONE_IN[-1]}"]
COLUMNS = ["dataset", *MODEL, "n_validation", "n_normal", *FIGURES]
N_MOST_ANOMALOUS = 20
"""How many images of each row `most_anomalous.csv` lists."""
MOST_ANOMALOUS_COLUMNS = ["dataset", *ROW, "rank", "id", *IDENTITY, "false_alarm_probability"]


def false_alarm_probabilities(scores: DatasetScores) -> np.ndarray:
    """The false-alarm probability of each test image by each model, calibrated on validation images, [models, images].

    NaN for other images, for models that diverged, and for models that were trained on contaminated images.
    """
    test, validation = scores.images["pool"].to_numpy() == "test", scores.positions(scores.smooth, "validation")
    probabilities = np.full(scores.values.shape, np.nan)
    for k in np.flatnonzero(scores.uncontaminated & scores.converged):
        probabilities[k, test] = false_alarm(scores.values[k, test], scores.values[k, validation])
    return probabilities


def false_alarm_probabilities_table(scores: DatasetScores, probabilities: np.ndarray) -> pd.DataFrame:
    """`false_alarm_probabilities.csv`: the calibration of each model after clean (or labelled) training.

    `realised_20` is the fraction of smooth test images whose false-alarm probability is 1 in 20 or less, with its
    interval over test images for the given calibration (Clopper-Pearson). `ks` is the distance between the
    distributions of the scores of smooth test and validation images, and `ks_p` its p-value (two-sample
    Kolmogorov-Smirnov test; a test of uniformity would ignore that validation images are a finite sample, too). Of the
    anomalous images, `anomalous_median` is the median probability and `anomalous_below_1000` the fraction below 1 in
    1,000. Values are empty where no test image is known to be smooth, or anomalous.

    Args:
        scores: of all models of a data set.
        probabilities: [models, images], from `false_alarm_probabilities`.
    """
    validation, normal = scores.positions(scores.smooth, "validation"), scores.positions(scores.smooth)
    chosen = scores.uncontaminated
    models, values, probabilities = scores.models[chosen], scores.values[chosen], probabilities[chosen]
    smooth, anomalous = probabilities[:, normal], probabilities[:, scores.positions(ALL)]
    figures = dict[str, np.ndarray]()
    if len(normal):
        ks = stats.ks_2samp(values[:, normal], values[:, validation], axis=1, method="asymp")
        figures |= {"ks": ks.statistic, "ks_p": ks.pvalue}
        for number in ONE_IN:
            rate = (smooth <= 1 / number).mean(axis=1)
            low, high = metrics.rate_interval(rate, np.full(len(rate), len(normal)))
            figures |= {f"realised_{number}": rate, f"realised_{number}_low": low, f"realised_{number}_high": high}
    if anomalous.size:
        figures["anomalous_median"] = np.median(anomalous, axis=1)
        figures[f"anomalous_below_{ONE_IN[-1]}"] = (anomalous < 1 / ONE_IN[-1]).mean(axis=1)
    table = pd.DataFrame(figures, index=models.index, columns=FIGURES, dtype=float)
    table.loc[np.isnan(smooth).any(axis=1)] = np.nan
    models = models.assign(dataset=scores.dataset, n_validation=len(validation), n_normal=len(normal))
    return models.join(table)[COLUMNS]


def most_anomalous_table(
    scores: DatasetScores, probabilities: np.ndarray, sheet: pd.DataFrame | None = None
) -> pd.DataFrame:
    """`most_anomalous.csv`: the test images of each row with the lowest false-alarm probability, lowest first.

    Rows are those after clean (or labelled) training. `id` is the name of an image for `oddlens image`, and
    `false_alarm_probability` the median over seeds. Ties are broken by the median rank of the score. The user's own
    images have the columns `SHEET`, too.

    Args:
        sheet: of the user's own images the columns `SHEET`, [images].
    """
    test = np.flatnonzero(scores.images["pool"] == "test")
    images = scores.images.iloc[test]
    ids = ["/".join(map(str, (scores.dataset, *image))) for image in images.itertuples(index=False)]
    images = images.assign(dataset=scores.dataset, id=ids)
    columns = MOST_ANOMALOUS_COLUMNS
    if sheet is not None:
        images, columns = images.join(sheet), [*columns, *SHEET]
    parts = [pd.DataFrame(columns=columns)]
    known = scores.models[~np.isnan(probabilities[:, test]).any(axis=1)]
    for _, models in known.groupby(ROW, sort=False):
        seeds = models.index.to_numpy()
        probability = np.median(probabilities[seeds][:, test], axis=0)
        rank = np.median(stats.rankdata(scores.values[seeds][:, test], axis=1), axis=0)
        first = np.lexsort((-rank, probability))[:N_MOST_ANOMALOUS]
        table = images.iloc[first].assign(rank=np.arange(1, len(first) + 1), false_alarm_probability=probability[first])
        parts.append(table.merge(models[ROW].drop_duplicates(), how="cross")[columns])
    return pd.concat(parts[1:] or parts)
