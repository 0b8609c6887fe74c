"""How similar samples of a generative model are to its training images, and whether they have collapsed."""

import numpy as np
from scipy import linalg
from scipy.spatial.distance import pdist

N_COMPONENTS = 20
"""Principal components of real images in which distances are measured; a lens of model B has nine parameters."""
N_DIRECTIONS = 256
"""Random directions of the sliced distance."""
MIN_VARIETY = 0.5
"""Samples with a smaller variety have collapsed."""
MEASURES = [name + end for name in ("sliced_wasserstein", "frechet", "variety") for end in ("", "_floor")]
"""The measures of `compare_samples`."""


def compare_samples(samples: np.ndarray, real: np.ndarray, held_out: np.ndarray) -> dict[str, float]:
    """Compare samples of a model with real images, and held-out real images with them, too.

    Distances are measured in principal components of the real images, in units of the root of their total variance:

    * `sliced_wasserstein`: the 1-Wasserstein distance of the projections on a direction, averaged over random
      directions (Bonneel et al. 2015);
    * `frechet`: |m - m'|^2 + tr(S + S' - 2 (S S')^(1/2)), the squared 2-Wasserstein distance of normal distributions
      with the same means and covariances (Heusel et al. 2017 use it between features of a network);
    * `variety`: the median distance between two samples over that between two real images.

    `<name>_floor` is the same measure of the held-out images: the value of a perfect model.

    Args:
        samples, real, held_out: images [n, pixels, pixels]. Equal numbers of each are compared, the first.
    """
    count = min(len(samples), len(real), len(held_out))
    flat = [images[:count].reshape(count, -1).astype(float) for images in (real, samples, held_out)]
    mean = flat[0].mean(axis=0)
    _, sizes, axes = np.linalg.svd(flat[0] - mean, full_matrices=False)
    axes = axes[:N_COMPONENTS] / np.sqrt(np.sum(sizes**2) / count)
    real_at, samples_at, held_at = ((images - mean) @ axes.T for images in flat)
    return {
        "sliced_wasserstein": sliced_wasserstein(samples_at, real_at),
        "sliced_wasserstein_floor": sliced_wasserstein(held_at, real_at),
        "frechet": frechet(samples_at, real_at),
        "frechet_floor": frechet(held_at, real_at),
        "variety": float(np.median(pdist(samples_at)) / np.median(pdist(real_at))),
        "variety_floor": float(np.median(pdist(held_at)) / np.median(pdist(real_at))),
    }


def sliced_wasserstein(one: np.ndarray, other: np.ndarray) -> float:
    """The sliced 1-Wasserstein distance between equal numbers of points [n, d], along fixed random directions."""
    directions = np.random.default_rng(0).normal(size=(one.shape[1], N_DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    return float(np.abs(np.sort(one @ directions, axis=0) - np.sort(other @ directions, axis=0)).mean())


def frechet(one: np.ndarray, other: np.ndarray) -> float:
    """The Frechet distance between normal distributions with the means and covariances of points [n, d]."""
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    trace_of_root = np.sqrt(np.clip(linalg.eigvals(a @ b).real, 0, None)).sum()  # of (a b)^(1/2)
    apart = np.sum((one.mean(axis=0) - other.mean(axis=0)) ** 2)
    return float(apart + np.trace(a) + np.trace(b) - 2 * trace_of_root)
