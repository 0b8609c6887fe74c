"""Which lenses are easy: the AUC against what the simulator knows of them."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from oddlens.tables.scored import Scored

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
        seen: list[np.ndarray] = []
        for name in (name for name in (*OF_SUBSTRUCTURE, *OF_LENS) if name in truth):
            values = _values(scored, anomaly, truth[name].to_numpy(float), name in OF_LENS)
            if np.isfinite(values).all() and np.ptp(values) > 0 and not any(np.array_equal(values, s) for s in seen):
                parts += [part.assign(truth=name) for part in _bins(scored, anomaly, values, name in OF_LENS)]
                seen.append(values)
    return pd.concat(parts)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _values(scored: Scored, anomaly: str, truth: np.ndarray, of_lens: bool) -> np.ndarray:
    """The truth of each odd image; where it is of the lens that of its smooth twin, so that a lens has one value."""
    odd, normal = scored.positions(anomaly), scored.positions(scored.smooth)
    lens = scored.images["index"].to_numpy()
    return pd.Series(truth[normal], lens[normal]).reindex(lens[odd]).to_numpy() if of_lens else truth[odd]


def _bins(scored: Scored, anomaly: str, values: np.ndarray, of_lens: bool) -> Iterator[pd.DataFrame]:
    """The AUCs of each bin of the odd images, by their `values`."""
    odd, normal = scored.positions(anomaly), scored.positions(scored.smooth)
    lens = scored.images["index"].to_numpy()
    code = pd.qcut(values, BINS, labels=False, duplicates="drop")
    for k in np.unique(code):
        inside = code == k
        against = normal[np.isin(lens[normal], lens[odd][inside])] if of_lens else normal
        if inside.sum() > 1:
            table = scored.block(anomaly, scored.at_home, odd[inside], against).rows.table()
            low, median, high = np.quantile(values[inside], [0, 0.5, 1])
            counts = {"n_normal": len(against), "n_anomalous": int(inside.sum())}
            yield table.assign(bin=k + 1, lowest=low, median=median, highest=high, **counts)
