"""Which lenses are easy: the AUC against what the simulator knows of them."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from oddlens.results.tables.scored import Scored

BINS = 4
OF_LENS = {"peak_signal_to_noise": "peak signal-to-noise", "einstein_radius_arcsec": "Einstein radius [arcsec]"}
"""Truths that a smooth lens has too. A bin is a bin of lenses: its odd images against their own smooth twins, so that
no bin gains from normal images that are brighter or wider than its own."""
OF_SUBSTRUCTURE = {
    "substructure_mass_msun": "mass in substructure [M☉]",
    "heaviest_mass_msun": "heaviest subhalo [M☉]",
    "vortex_length_arcsec": "vortex length [arcsec]",
}
"""Truths of the substructure alone: whatever is in the odd images of a bin, they hide among all smooth lenses."""
COLUMNS = ["dataset", "detector", "anomaly", "truth", "bin", "lowest", "median", "highest", "n_normal", "n_anomalous"]
COLUMNS += ["auc", "auc_low", "auc_high"]


def bins_table(scored: Scored, truth: pd.DataFrame) -> pd.DataFrame:
    """`bins.csv`: mean AUC over seeds by quantiles of the truth, after clean (or labelled) training.

    Only for truths that vary within a class, and once for those that are the same: a vortex is its own heaviest piece.
    Intervals are over test images.
    """
    truth = scored.images.merge(truth, how="left")
    parts = []
    for anomaly in scored.anomalies[:-1]:
        odd, seen = scored.positions(anomaly), list[np.ndarray]()
        for name in (name for name in (*OF_SUBSTRUCTURE, *OF_LENS) if name in truth):
            values = truth[name].to_numpy(float)[scored.twins(odd) if name in OF_LENS else odd]
            if np.isfinite(values).all() and np.ptp(values) > 0 and not any(np.array_equal(values, s) for s in seen):
                parts += [part.assign(truth=name) for part in _bins(scored, anomaly, values, name in OF_LENS)]
                seen.append(values)
    return pd.concat(parts)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def binned(values: np.ndarray) -> Iterator[tuple[dict[str, float], np.ndarray]]:
    """Odd images in bins of equal numbers by their `values` [n]: what to say of each bin, and which are in it, [n].

    There are fewer bins where many values are the same, and none of a single image.
    """
    code = np.searchsorted(np.quantile(values, np.arange(1, BINS) / BINS), values)
    for k in np.unique(code):
        inside = code == k
        if inside.sum() > 1:
            low, median, high = np.quantile(values[inside], [0, 0.5, 1])
            about = {"bin": k + 1, "lowest": low, "median": median, "highest": high, "n_anomalous": int(inside.sum())}
            yield about, inside


def _bins(scored: Scored, anomaly: str, values: np.ndarray, of_lens: bool) -> Iterator[pd.DataFrame]:
    """The AUCs of each bin of the odd images, by their `values`."""
    odd, normal = scored.positions(anomaly), scored.positions(scored.smooth)
    for about, inside in binned(values):
        against = scored.twins(odd[inside]) if of_lens else normal
        table = scored.block(anomaly, scored.at_home, odd[inside], against).rows.table()
        yield table.assign(n_normal=len(against), **about)
