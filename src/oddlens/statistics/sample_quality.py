"""How like real images are those that a model draws of itself, and are they all the same?"""

import numpy as np
from scipy import linalg
from scipy.spatial.distance import pdist

COMPONENTS = 20
"""Principal components of real images in which all is measured; a lens of model B has nine parameters."""
DIRECTIONS = 256
"""Random directions of the sliced distance."""
LEAST_VARIETY = 0.5
"""Images that differ among themselves by less than this part of what real ones do have collapsed."""


MEASURES = [name + end for name in ("sliced_wasserstein", "frechet", "variety") for end in ("", "_floor")]
"""What is measured, as `compared` says."""


def compared(drawn: np.ndarray, real: np.ndarray, held_out: np.ndarray) -> dict[str, float]:
    """Distances of drawn images [n, pixels, pixels] from real ones, and those of held-out real ones beside them.

    All in principal components of the real images, in units of the root of their total variance:

    * `sliced_wasserstein`: the mean over random directions of the 1-Wasserstein distance of what is seen along each
      (Bonneel et al. 2015);
    * `frechet`: |m - m'|^2 + tr(S + S' - 2 (S S')^(1/2)), the squared 2-Wasserstein distance of normal distributions of
      the same means and covariances (Heusel et al. 2017 take it between features of a network);
    * `variety`: the median distance of two drawn images in that of two real ones.

    `<name>_floor` is the same for the held-out images, which is what chance leaves. Equal numbers of all are compared.
    """
    count = min(len(drawn), len(real), len(held_out))
    flat = [images[:count].reshape(count, -1).astype(float) for images in (real, drawn, held_out)]
    mean = flat[0].mean(axis=0)
    _, sizes, axes = np.linalg.svd(flat[0] - mean, full_matrices=False)
    axes = axes[:COMPONENTS] / np.sqrt(np.sum(sizes**2) / count)
    real_at, drawn_at, held_at = ((images - mean) @ axes.T for images in flat)
    return {
        "sliced_wasserstein": sliced_wasserstein(drawn_at, real_at),
        "sliced_wasserstein_floor": sliced_wasserstein(held_at, real_at),
        "frechet": frechet(drawn_at, real_at),
        "frechet_floor": frechet(held_at, real_at),
        "variety": float(np.median(pdist(drawn_at)) / np.median(pdist(real_at))),
        "variety_floor": float(np.median(pdist(held_at)) / np.median(pdist(real_at))),
    }


def sliced_wasserstein(one: np.ndarray, other: np.ndarray) -> float:
    """Between equal numbers of points [n, d], along fixed random directions."""
    directions = np.random.default_rng(0).normal(size=(one.shape[1], DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    return float(np.abs(np.sort(one @ directions, axis=0) - np.sort(other @ directions, axis=0)).mean())


def frechet(one: np.ndarray, other: np.ndarray) -> float:
    """Between the normal distributions nearest to points [n, d]."""
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    of_root = np.sqrt(np.clip(linalg.eigvals(a @ b).real, 0, None)).sum()  # the trace of (a b)^(1/2)
    apart = np.sum((one.mean(axis=0) - other.mean(axis=0)) ** 2)
    return float(apart + np.trace(a) + np.trace(b) - 2 * of_root)
