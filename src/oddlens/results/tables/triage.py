"""Triage: a detector flags lenses, a classifier names their type, and both are evaluated as one pipeline."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from oddlens.data.randomness import stream
from oddlens.regression.estimates import Estimates
from oddlens.results.tables.dataset_scores import DatasetScores

ANOMALOUS_FRACTION = 0.1
"""The fraction of anomalous lenses, in equal parts of each class. Test images are weighted accordingly."""
FLAGGED_FRACTIONS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Fractions of all lenses that are flagged."""
CLASSIFIER_ALONE = "(classifier alone)"
"""In the column `detector`: the classifier flags lenses by its own odds of an anomaly."""
N_BOOTSTRAP = 200
"""Bootstrap samples of lenses for intervals."""
COLUMNS = ["dataset", "row", "detector", "type", "flagged_fraction", "anomalous_fraction"]
COLUMNS += ["purity", "purity_low", "purity_high", "completeness", "completeness_low", "completeness_high"]


def triage_table(estimates: Estimates, scores: DatasetScores, rows: Mapping[str, Mapping]) -> pd.DataFrame:
    """`triage.csv`: a line for each detector, type and flagged fraction.

    `purity` is the fraction of the lenses flagged and classified as a type that are of the type. `completeness` is the
    fraction of all lenses of the type that are flagged and classified as the type. A flagged lens is assigned the
    anomaly class of highest probability, with equal prior probabilities for all anomaly classes; whether it is smooth
    is left to the detector. Detectors are those of the study after clean training, with the mean rank of an image over
    seeds. Intervals are 95 % bootstrap intervals over lenses.

    Args:
        estimates: of a row of the regression, which has class probabilities.
        scores: of all models of the same data set.
        rows: the `role` of each row.
    """
    return pd.DataFrame(list(_lines(estimates, scores, rows)), columns=COLUMNS)


def _lines(estimates: Estimates, scores: DatasetScores, rows: Mapping[str, Mapping]) -> Iterator[dict]:
    types = estimates.types / estimates.prior
    anomalous = [k for k, cls in enumerate(estimates.classes) if cls != scores.smooth]
    assigned = np.array(anomalous)[types[:, anomalous].argmax(axis=1)]
    smooth = estimates.classes.index(scores.smooth)
    odds = types[:, anomalous].mean(axis=1) / types[:, smooth].clip(min=1e-30)
    flagging_scores = {CLASSIFIER_ALONE: odds} | _mean_ranks(estimates, scores, rows)
    counts = _bootstrap_counts(estimates)
    for detector, score in flagging_scores.items():
        order = np.argsort(-score, kind="stable")
        measures = _purity_completeness(order, estimates.cls, assigned, anomalous, smooth, counts)
        low, high = np.nanquantile(measures[1:], [0.025, 0.975], axis=0)
        for t, k in enumerate(anomalous):
            for f, fraction in enumerate(FLAGGED_FRACTIONS):
                line: dict[str, Any] = {"dataset": estimates.dataset, "row": estimates.row, "detector": detector}
                line |= {"type": estimates.classes[k], "flagged_fraction": fraction}
                line |= {"anomalous_fraction": ANOMALOUS_FRACTION}
                for m, measure in enumerate(("purity", "completeness")):
                    line |= {measure: measures[0, t, f, m]}
                    line |= {f"{measure}_low": low[t, f, m], f"{measure}_high": high[t, f, m]}
                yield line


def _mean_ranks(estimates: Estimates, scores: DatasetScores, rows: Mapping[str, Mapping]) -> dict[str, np.ndarray]:
    """For each detector of the study the mean rank over seeds of each image, in the order of `estimates`."""
    images = pd.DataFrame({"class": np.array(estimates.classes)[estimates.cls], "index": estimates.index})
    test = scores.images[scores.images["pool"] == "test"].reset_index(names="position")
    position = images.merge(test, how="left", on=["class", "index"])["position"].to_numpy()
    models = scores.models[scores.uncontaminated & scores.converged]
    ranks = {}
    for detector, seeds in models.groupby("detector", sort=False):
        if rows[str(detector)]["role"] in ("detector", "external"):
            values = scores.values[np.ix_(seeds.index.to_numpy(), position)]
            ranks[str(detector)] = values.argsort(axis=1).argsort(axis=1).mean(axis=0)
    return ranks


def _bootstrap_counts(estimates: Estimates) -> np.ndarray:
    """How often each image counts, [1 + samples, n]: once, then as often as its lens is drawn. Twins stay together."""
    lenses, lens = np.unique(estimates.index, return_inverse=True)
    rng = stream(0, "triage", estimates.dataset, estimates.row)
    counts = rng.multinomial(len(lenses), np.full(len(lenses), 1 / len(lenses)), N_BOOTSTRAP)
    return np.concatenate([np.ones((1, len(lens))), counts[:, lens]])


def _purity_completeness(
    order: np.ndarray, cls: np.ndarray, assigned: np.ndarray, anomalous: list[int], smooth: int, counts: np.ndarray
) -> np.ndarray:
    """Purity and completeness, [1 + samples, types, fractions, 2], of images that are flagged in an order."""
    share = np.where(cls == smooth, 1 - ANOMALOUS_FRACTION, ANOMALOUS_FRACTION / len(anomalous))
    weight = counts * share
    for k in np.unique(cls):
        weight[:, cls == k] /= counts[:, cls == k].sum(axis=1, keepdims=True)
    weight, cls, assigned = weight[:, order], cls[order], assigned[order]
    cumulative = np.cumsum(weight, axis=1)
    flagged = np.stack([cumulative <= f + 1e-9 for f in FLAGGED_FRACTIONS], axis=1)  # [1 + samples, fractions, n]
    measures = []
    for k in anomalous:
        positive = (flagged * (weight * (assigned == k))[:, None]).sum(axis=2)
        correct = (flagged * (weight * ((assigned == k) & (cls == k)))[:, None]).sum(axis=2)
        total = (weight * (cls == k)).sum(axis=1)[:, None]
        with np.errstate(invalid="ignore"):
            purity = correct / np.where(positive > 0, positive, np.nan)
            measures.append(np.stack([purity, correct / total], axis=-1))
    return np.stack(measures, axis=1)
