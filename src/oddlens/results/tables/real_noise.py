"""The effect of real noise on detectors: AUCs of the same test images with simulated and with real noise."""

import numpy as np

from oddlens.statistics import metrics


def compare_noise(simulated: np.ndarray, real: np.ndarray, scatter: float) -> dict[str, float]:
    """AUCs with simulated and with real noise, their difference, and the shift of the scores of smooth images.

    All have 95 % intervals over lenses but the shift, which is in units of `scatter`. The columns are those of
    `oddlens.results.tables.real.NOISE_COLUMNS`.

    Args:
        simulated: scores of test images with simulated noise, [classes, n], smooth first; twins are in one column.
        real: scores of the same images with real noise.
        scatter: standard deviation of the scores of smooth validation images.
    """
    scores = np.stack([simulated, real])  # [noise, class, n]
    classes, n = simulated.shape
    lens = np.tile(np.arange(n), classes - 1)
    areas = metrics.areas(scores[:, 0], scores[:, 1:].reshape(2, -1), np.arange(n), lens)
    low, high = metrics.interval(areas.auc, areas.variance)
    change = areas.combined(np.array([[-1.0, 1.0]]))
    change_low, change_high, _ = metrics.difference(change.auc, change.variance)
    return {
        "auc_simulated": areas.auc[0],
        "auc_simulated_low": low[0],
        "auc_simulated_high": high[0],
        "auc_real": areas.auc[1],
        "auc_real_low": low[1],
        "auc_real_high": high[1],
        "change": change.auc[0],
        "change_low": change_low[0],
        "change_high": change_high[0],
        "shift": float(np.mean(real[0] - simulated[0])) / scatter if scatter > 0 else np.nan,
    }
