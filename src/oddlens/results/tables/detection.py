"""Detected fractions at fixed false-alarm rates, by class, and by mass and concentration.

The threshold of a rate is set on the smooth test images (`oddlens.statistics.metrics.threshold`). So these images
cannot test the rate; the smooth validation images do. Completeness for *injected* masses is in
`oddlens.results.tables.completeness`.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from oddlens.data.splits import IDENTITY
from oddlens.results.tables.bins import OF_SUBSTRUCTURE
from oddlens.results.tables.columns import ALL
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.row_scores import rows_of, with_interval

ANOMALY, DECOY, NORMAL = "anomaly", "decoy", "smooth"
"""The kinds of classes: those to be detected, those that must not be, and smooth validation images."""
CONCENTRATION = "heaviest_concentration"
MASSES = {"heaviest_m200_msun": "M200 of the heaviest subhalo [M☉]"}
MASSES |= {name: OF_SUBSTRUCTURE[name] for name in ("heaviest_mass_msun", "substructure_mass_msun")}
PROPERTIES = MASSES | {CONCENTRATION: "concentration"}
"""The properties in whose bins anomalous images are counted, with their titles. Of the masses of a class, figures and
pages show the first."""
MAX_VALUES = 6
"""A property with at most so many different values, each of two images in the mean, has a bin for each."""
ROUNDING = 1e-6
"""Logarithms so little below an edge belong to the bin above, because tables have nine digits."""
COLUMNS = ["dataset", "detector", "false_alarm_rate", "class", "kind", "truth", "bin_low", "bin_high"]
COLUMNS += ["seeds", "n_reference", "images", "unscored", "detected", "detected_low", "detected_high"]


def detection_table(
    scores: DatasetScores, truth: pd.DataFrame, rates: Sequence[float], bins_per_decade: int
) -> pd.DataFrame:
    """`detection.csv`: the fraction of the images of each class above the threshold of each false-alarm rate.

    Lines of the kind `anomaly` have the completeness, those of `decoy` and `smooth` the false alarms; `smooth` are
    validation images, which are independent of the threshold. Lines with a property in `truth` count the anomalous
    images with `bin_low` <= property < `bin_high`; see `logarithmic_bins`. Images without a score count as not
    detected, and as `unscored`.

    Values are means over seeds after clean (or labelled) training. Intervals are over lenses for the given threshold
    (Clopper-Pearson). Values are empty where `n_reference`, the number of smooth test images, is below 1 / rate.

    Args:
        scores: of all models of a data set.
        truth: of its images, by `read_truth`.
        rates: false-alarm rates.
        bins_per_decade: bins in a factor of ten.
    """
    smooth = scores.positions(scores.smooth)
    groups = list(_groups(scores, truth, bins_per_decade)) if len(smooth) else []
    lines = []
    for row in rows_of(scores):
        about = {"detector": row.detector, "seeds": len(row.values), "n_reference": row.scored(smooth)}
        unscored = [len(images) - row.scored(images) for _, images in groups]
        for rate in rates:
            threshold = row.threshold(smooth, rate)
            for (group, images), missing in zip(groups, unscored, strict=True):
                detected = {"detected": row.fraction_above(images, threshold), "unscored": missing}
                lines.append(about | {"false_alarm_rate": rate} | group | detected)
    if not lines:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.DataFrame(lines).assign(dataset=scores.dataset)
    return with_interval(table, "detected", table["lenses"])[COLUMNS]


def _groups(scores: DatasetScores, truth: pd.DataFrame, bins_per_decade: int) -> Iterator[tuple[dict, np.ndarray]]:
    """The groups of images that are counted: the columns that describe them, and the positions of the images."""

    def group(kind: str, cls: str, images: np.ndarray) -> tuple[dict, np.ndarray]:
        about = {"kind": kind, "class": cls, "truth": "", "bin_low": np.nan, "bin_high": np.nan}
        return about | {"images": len(images), "lenses": len(np.unique(scores.lens[images]))}, images

    if len(validation := scores.positions(scores.smooth, "validation")):
        yield group(NORMAL, scores.smooth, validation)
    for cls in scores.decoys:
        yield group(DECOY, cls, scores.positions(cls))
    properties = scores.images.merge(truth, how="left", on=IDENTITY)
    for cls in scores.anomalies:
        images = scores.positions(cls)
        yield group(ANOMALY, cls, images)
        for edges, inside in _property_bins(properties.iloc[images], bins_per_decade) if cls != ALL else ():
            about, of_bin = group(ANOMALY, cls, images[inside])
            yield about | edges, of_bin


def _property_bins(properties: pd.DataFrame, per_decade: int) -> Iterator[tuple[dict, np.ndarray]]:
    """The columns and the mask of each bin of each property of some images. Properties that equal an earlier one have
    none."""
    earlier: list[np.ndarray] = []
    for name in PROPERTIES:
        values = properties[name].to_numpy(float) if name in properties else np.empty(0)
        if (values > 0).any() and not any(np.array_equal(values, other) for other in earlier):
            earlier.append(values)
            for low, high, inside in logarithmic_bins(values, per_decade):
                yield {"truth": name, "bin_low": low, "bin_high": high}, inside


def logarithmic_bins(values: np.ndarray, per_decade: int) -> Iterator[tuple[float, float, np.ndarray]]:
    """The edges of each bin that has values, and its mask, [n]. Values that are not positive are in no bin.

    Edges are powers of ten and, for two bins in a decade, their multiples by the square root of ten. Few
    different values (`MAX_VALUES`) have a bin each, with equal edges.
    """
    positive = values > 0
    if len(different := np.unique(values[positive])) <= min(MAX_VALUES, positive.sum() / 2):
        for value in different:
            yield value, value, values == value
        return
    code = np.full(len(values), np.nan)
    code[positive] = np.floor(np.log10(values[positive]) * per_decade + ROUNDING)
    for k in np.unique(code[positive]):
        yield 10 ** (k / per_decade), 10 ** ((k + 1) / per_decade), code == k


def preferred_masses(detection: pd.DataFrame) -> pd.DataFrame:
    """The lines of `detection.csv` with bins of one mass for each class: the first of `MASSES` that it has."""
    masses = detection[detection["truth"].isin(list(MASSES))]
    order = masses["truth"].map([*MASSES].index)
    return masses[order == order.groupby([masses["dataset"], masses["class"]]).transform("min")]
