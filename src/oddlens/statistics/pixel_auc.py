"""How well an anomaly map ranks the anomalous pixels of an image above the others."""

import numpy as np
from scipy import stats


def pixel_aucs(maps: np.ndarray, anomalous: np.ndarray) -> np.ndarray:
    """The AUC over the pixels of each image that has anomalous and normal ones, by ranks (Mann & Whitney 1947).

    Args:
        maps: [n, pixels].
        anomalous: [n, pixels], boolean.
    """
    count = anomalous.sum(axis=1)
    both = (count > 0) & (count < anomalous.shape[1])
    maps, anomalous, count = maps[both], anomalous[both], count[both]
    above = (stats.rankdata(maps, axis=1) * anomalous).sum(axis=1) - count * (count + 1) / 2
    return above / (count * (anomalous.shape[1] - count))
