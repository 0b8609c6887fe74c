"""After the alarm: what a detector flags goes to a classifier of the type, and the pair is judged as one pipeline."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from oddlens.data.randomness import stream
from oddlens.regression.estimates import Estimates
from oddlens.results.tables.scored import Scored

ODD = 0.1
"""The part of the lenses that is odd, in equal parts of each class; test images are weighted to it."""
FLAGGED = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Parts of the lenses that are flagged."""
ALONE = "(classifier alone)"
"""In the place of a detector: the classifier flags by its own odds of being odd."""
DRAWS = 200
"""Of lenses with replacement, for intervals."""
COLUMNS = ["dataset", "row", "detector", "type", "flagged", "odd", "purity", "purity_low", "purity_high"]
COLUMNS += ["completeness", "completeness_low", "completeness_high"]


def triage_table(estimates: Estimates, scored: Scored, rows: Mapping[str, Mapping]) -> pd.DataFrame:
    """`triage.csv`: a line for each detector, type and flagged part.

    Of the lenses that are flagged and called of a type, `purity` is the part that is of it; of all lenses of the type,
    `completeness` is the part that is flagged and called so. A flagged lens is called the odd class that is most
    probable by its image, all odd classes being equally probable before; that it may be smooth is the detector's
    business. Detectors are those of the study after clean training (the mean rank of an image over seeds). Intervals
    are bootstraps over lenses, 95 %.
    """
    return pd.DataFrame(list(_lines(estimates, scored, rows)), columns=COLUMNS)


def _lines(estimates: Estimates, scored: Scored, rows: Mapping[str, Mapping]) -> Iterator[dict]:
    images = pd.DataFrame({"class": np.array(estimates.classes)[estimates.cls], "index": estimates.index})
    test = scored.images[scored.images["pool"] == "test"].reset_index(names="place")
    place = images.merge(test, how="left", on=["class", "index"])["place"].to_numpy()
    types = estimates.types / estimates.prior
    odd = [k for k, cls in enumerate(estimates.classes) if cls != scored.smooth]
    called = np.array(odd)[types[:, odd].argmax(axis=1)]
    smooth = estimates.classes.index(scored.smooth)
    suspicions = {ALONE: types[:, odd].mean(axis=1) / types[:, smooth].clip(min=1e-30)}
    models = scored.models[scored.at_home & (scored.models["status"] == "ok")]
    for detector, seeds in models.groupby("detector", sort=False):
        if rows[str(detector)]["role"] == "detector":
            values = scored.values[np.ix_(seeds.index.to_numpy(), place)]
            suspicions[str(detector)] = values.argsort(axis=1).argsort(axis=1).mean(axis=0)
    drawn = _drawn_again(estimates)
    for detector, suspicion in suspicions.items():
        order = np.argsort(-suspicion, kind="stable")
        made = _judged(order, estimates.cls, called, odd, smooth, drawn)  # [draws, types, parts, 2]
        low, high = np.nanquantile(made[1:], [0.025, 0.975], axis=0)
        for t, k in enumerate(odd):
            for f, part in enumerate(FLAGGED):
                line: dict[str, Any] = {"dataset": estimates.dataset, "row": estimates.row, "detector": detector}
                line |= {"type": estimates.classes[k], "flagged": part, "odd": ODD}
                for m, measure in enumerate(("purity", "completeness")):
                    line |= {measure: made[0, t, f, m]}
                    line |= {f"{measure}_low": low[t, f, m], f"{measure}_high": high[t, f, m]}
                yield line


def _drawn_again(estimates: Estimates) -> np.ndarray:
    """How often each image counts, [1 + draws, n]: once, and as often as its lens is drawn; twins come together."""
    lenses, lens = np.unique(estimates.index, return_inverse=True)
    rng = stream(0, "triage", estimates.dataset, estimates.row)
    counts = rng.multinomial(len(lenses), np.full(len(lenses), 1 / len(lenses)), DRAWS)
    return np.concatenate([np.ones((1, len(lens))), counts[:, lens]])


def _judged(
    order: np.ndarray, cls: np.ndarray, called: np.ndarray, odd: list[int], smooth: int, counts: np.ndarray
) -> np.ndarray:
    """Purity and completeness, [draws, types, parts, 2], of images flagged in an order."""
    share = np.where(cls == smooth, 1 - ODD, ODD / len(odd))
    weight = counts * share
    for k in np.unique(cls):
        weight[:, cls == k] /= counts[:, cls == k].sum(axis=1, keepdims=True)
    weight, cls, called = weight[:, order], cls[order], called[order]
    upto = np.cumsum(weight, axis=1)
    flagged = np.stack([upto <= part + 1e-9 for part in FLAGGED], axis=1)  # [draws, parts, n]
    found = []
    for k in odd:
        said = (flagged * (weight * (called == k))[:, None]).sum(axis=2)
        right = (flagged * (weight * ((called == k) & (cls == k)))[:, None]).sum(axis=2)
        every = (weight * (cls == k)).sum(axis=1)[:, None]
        with np.errstate(invalid="ignore"):
            found.append(np.stack([right / np.where(said > 0, said, np.nan), right / every], axis=-1))
    return np.stack(found, axis=1)
