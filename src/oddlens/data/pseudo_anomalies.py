"""Smooth lenses with a weak deflection laid over them: something odd to choose a detector by, without any label.

Whoever has to choose between detectors, or between their settings, has no odd images to try them on. But any mass on
the line of sight displaces the light of an image a little: an image I whose light is deflected by d shows

    I(x - d(x)) = I(x) - d(x) . grad I(x)            to first order

and what was seen of I is enough to lay that over it: the gradient is that of the image under the point-spread function,
where the noise is small; the noise of the image itself stays as it is. d is that of a softened point of mass on the
ring, so it knows no more of the classes of a study than that mass deflects, and there is nothing simulated in it.
"""

import numpy as np
from scipy import ndimage

from oddlens.data.randomness import stream

PSEUDO_ANOMALY = "pseudo_anomaly"
"""The class of such images in the tables of scores."""
SHIFT = (0.05, 0.5)
"""The largest displacement, in pixels: log-uniform between these, from what nobody sees to what nobody misses."""
LEAST_BLUR = 1.0
"""Pixels over which light is smoothed at least: noise has gradients of its own, which no deflection moves."""
SOFTENING = 1.5
"""Pixels from the mass at which the displacement is largest."""


def add_weak_deflection(images: np.ndarray, blur: float, dataset: str, seed: int) -> np.ndarray:
    """Images [n, pixels, pixels], each with a deflection of its own at a random bright place; the same type.

    Args:
        blur: standard deviation of the Gaussian nearest to the point-spread function, in pixels.
        dataset, seed: the images' data set and the master seed, which with the place of an image determine its
            deflection.
    """
    y, x = np.mgrid[: images.shape[1], : images.shape[2]]
    result = np.empty_like(images)
    for k, image in enumerate(images):
        random = stream(seed, "probe", dataset, k)
        light = ndimage.gaussian_filter(image.astype(float), max(blur, LEAST_BLUR), mode="constant")
        weight = light.clip(min=0).ravel() ** 2
        at = np.unravel_index(random.choice(light.size, p=weight / weight.sum()), light.shape)
        dy, dx = y - at[0], x - at[1]
        size = np.exp(random.uniform(*np.log(SHIFT))) * 2 * SOFTENING / (dy**2 + dx**2 + SOFTENING**2)
        slope_y, slope_x = np.gradient(light)
        result[k] = image - size * (dy * slope_y + dx * slope_x)
    return result
