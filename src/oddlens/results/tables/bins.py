"""The AUC as a function of the properties of lens and substructure."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from oddlens.data.splits import IDENTITY, LENS
from oddlens.results.tables.dataset_scores import DatasetScores

N_BINS = 4
OF_LENS = {"peak_signal_to_noise": "peak signal-to-noise", "einstein_radius_arcsec": "Einstein radius [arcsec]"}
"""Properties that a smooth lens has, too. The anomalous images of a bin are compared with their own smooth twins, so
that a bin does not gain from normal images that are fainter or smaller than its own."""
OF_SUBSTRUCTURE = {
    "substructure_mass_msun": "mass in substructure [M☉]",
    "heaviest_mass_msun": "heaviest subhalo [M☉]",
    "vortex_length_arcsec": "vortex length [arcsec]",
}
"""Properties of the substructure. The anomalous images of each bin are compared with all smooth lenses."""
COLUMNS = ["dataset", "detector", "anomaly", "truth", "bin", "lowest", "median", "highest", "n_normal", "n_anomalous"]
COLUMNS += ["auc", "auc_low", "auc_high"]


def bins_table(scores: DatasetScores, truth: pd.DataFrame) -> pd.DataFrame:
    """`bins.csv`: mean AUC over seeds in quantile bins of each property, after clean (or labelled) training.

    Of the user's own images the properties are the numbers in their sheet. They have no twins, so each bin is compared
    with all smooth images, and images without a value are in no bin.

    Properties that do not vary within a class are left out, and so are properties that equal an earlier one: the
    heaviest substructure of a vortex is the vortex itself. Intervals are over test images.

    Args:
        scores: of all models of a data set.
        truth: the simulation parameters of its images, by `read_truth`.
    """
    names = [name for name in (*OF_SUBSTRUCTURE, *OF_LENS) if name in truth] if scores.simulated else _numbers(truth)
    of_lens = set(OF_LENS) if scores.simulated else set()
    truth = scores.images.merge(truth, how="left", on=IDENTITY)
    parts = []
    for anomaly in scores.judged[:-1]:
        every, earlier = scores.positions(anomaly), list[np.ndarray]()
        for name in names:
            values = truth[name].to_numpy(float)[scores.twins(every) if name in of_lens else every]
            known = np.isfinite(values) if not scores.simulated else np.full(len(values), np.isfinite(values).all())
            anomalous, values = every[known], values[known]
            if len(values) and np.ptp(values) > 0 and not any(np.array_equal(values, e) for e in earlier):
                bins = _bins(scores, anomaly, anomalous, values, name in of_lens)
                parts += [part.assign(truth=name) for part in bins]
                earlier.append(values)
    return pd.concat(parts)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _numbers(truth: pd.DataFrame) -> list[str]:
    """The columns of a sheet that are properties of images."""
    numbers = truth.select_dtypes("number").columns
    return [str(name) for name in numbers if name not in (*IDENTITY, LENS)]


def quantile_bins(values: np.ndarray) -> Iterator[tuple[dict[str, float], np.ndarray]]:
    """Bins of equal numbers of images by their `values` [n]: the columns that describe a bin, and its mask, [n].

    There are fewer bins where many values are equal. Bins of a single image are left out.
    """
    code = np.searchsorted(np.quantile(values, np.arange(1, N_BINS) / N_BINS), values)
    for k in np.unique(code):
        inside = code == k
        if inside.sum() > 1:
            low, median, high = np.quantile(values[inside], [0, 0.5, 1])
            about = {"bin": k + 1, "lowest": low, "median": median, "highest": high, "n_anomalous": int(inside.sum())}
            yield about, inside


def _bins(
    scores: DatasetScores, anomaly: str, anomalous: np.ndarray, values: np.ndarray, of_lens: bool
) -> Iterator[pd.DataFrame]:
    """The AUCs of each bin of some anomalous images by their `values`."""
    smooth = scores.positions(scores.smooth)
    for about, inside in quantile_bins(values):
        normal = scores.twins(anomalous[inside]) if of_lens else smooth
        table = scores.aucs(anomaly, scores.uncontaminated, anomalous[inside], normal).seed_means.table()
        yield table.assign(n_normal=len(normal), **about)
