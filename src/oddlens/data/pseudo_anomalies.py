"""Pseudo-anomalies: images of smooth lenses with a weak deflection added, to select detectors without labels.

Whoever selects detectors, or their settings, has no anomalous images to test them on. But any mass on the line of sight
displaces the light of an image: to first order, an image I whose light is deflected by d becomes

    I(x - d(x)) = I(x) - d(x) . grad I(x)

The observed image suffices for this: grad I is the gradient of the smoothed light, where the noise is small, and the
noise of the image itself is unchanged. d is the deflection of a softened point mass on the ring. It
assumes nothing about the classes of a study except that mass deflects light, and it needs no simulation.
"""

import numpy as np
from scipy import ndimage

from oddlens.data.randomness import stream

PSEUDO_ANOMALY = "pseudo_anomaly"
"""The class of these images in tables of scores."""
DISPLACEMENT_PIXELS = (0.05, 0.5)
"""The range of the largest displacement, in pixels, log-uniform: from undetectable to obvious."""
MIN_BLUR_PIXELS = 1.0
"""The light is smoothed at least by this: noise has gradients of its own, which no deflection moves."""
SOFTENING_PIXELS = 1.5
"""The distance from the mass at which the displacement is largest, in pixels."""


def add_weak_deflection(images: np.ndarray, blur: float, dataset: str, seed: int) -> np.ndarray:
    """Add to each image a deflection at a random bright position.

    Args:
        images: [n, pixels, pixels].
        blur: standard deviation of the Gaussian nearest to the point-spread function, in pixels.
        dataset: the images' data set. It determines the deflection, with the master seed and the index of the image.
        seed: the master seed.

    Returns:
        Images of the same shape and type.
    """
    y, x = np.mgrid[: images.shape[1], : images.shape[2]]
    result = np.empty_like(images)
    for k, image in enumerate(images):
        random = stream(seed, "probe", dataset, k)
        light = ndimage.gaussian_filter(image.astype(float), max(blur, MIN_BLUR_PIXELS), mode="constant")
        weight = light.clip(min=0).ravel() ** 2
        at = np.unravel_index(random.choice(light.size, p=weight / weight.sum() if weight.any() else None), light.shape)
        dy, dx = y - at[0], x - at[1]
        largest = np.exp(random.uniform(*np.log(DISPLACEMENT_PIXELS)))
        size = largest * 2 * SOFTENING_PIXELS / (dy**2 + dx**2 + SOFTENING_PIXELS**2)
        slope_y, slope_x = np.gradient(light)
        result[k] = image - size * (dy * slope_y + dx * slope_x)
    return result
