"""Shifted copies of images, such as other cuts from one frame: how they are searched, and where they agree."""

import numpy as np
from scipy import fft

WAVES = 8
"""The largest number of waves across an image by which shifted images are compared."""


def spectra(images: np.ndarray) -> np.ndarray:
    """Amplitudes of the coarse waves of images [n, p, p], which hardly depend on a shift, [n, m]."""
    light = np.nan_to_num(np.asarray(images, np.float32), posinf=0, neginf=0)
    waves = np.abs(fft.rfft2(light - light.mean(axis=(1, 2), keepdims=True)))
    rows = np.arange(-WAVES, WAVES + 1)
    return waves[:, rows, : WAVES + 1].reshape(len(images), -1)


def registered(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Windows of images [n, p, p] and others, in which these agree best after a shift by whole pixels, [n, w, w]."""
    pixels = first.shape[1]
    margin = pixels // 8
    a, b = (np.nan_to_num(np.asarray(i, np.float32), posinf=0, neginf=0) for i in (first, second))
    waves = (fft.rfft2(i - i.mean(axis=(1, 2), keepdims=True)) for i in (a, b))
    agreement = fft.irfft2(np.multiply(next(waves), next(waves).conj()), (pixels, pixels))
    shifts = np.arange(-2 * margin, 2 * margin + 1)
    near = agreement[:, shifts][:, :, shifts].reshape(len(a), -1)  # [n, shifts^2]
    shift = shifts[np.stack(np.unravel_index(near.argmax(axis=1), (len(shifts), len(shifts))), axis=1)]  # [n, 2]
    half = shift // 2
    return _windows(a, shift - half), _windows(b, -half)


def _windows(images: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The middle three quarters of images [n, p, p] after shifts [n, 2] of these, as far as the images reach."""
    margin = images.shape[1] // 8
    side = images.shape[1] - 2 * margin
    corner = np.clip(margin + shift, 0, 2 * margin)
    return np.stack([image[y : y + side, x : x + side] for image, (y, x) in zip(images, corner, strict=True)])
