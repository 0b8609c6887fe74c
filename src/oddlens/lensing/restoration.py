"""Restoration of images with known noise: sharpening to a narrower point-spread function, and denoising.

1. The image is divided, in Fourier space, by its point-spread function P and multiplied by a Gaussian G,
   T = G P* / (|P|^2 + `REGULARISATION`). This raises the noise where P is small. The power spectrum of the noise is
   known, before and after.
2. The result is decomposed into scales by the starlet transform, an undecimated wavelet transform with the cubic
   B-spline (Starck, Fadili & Murtagh 2007, IEEE Trans. Image Process. 16, 297). The noise of a scale has a variance s^2
   that follows from the power spectrum. A coefficient w is multiplied by max(0, 1 - `SHRINKAGE` s^2 / <w^2>), with the
   mean over `WINDOW` x `WINDOW` pixels: a Wiener filter whose signal is estimated locally (Lee 1980, IEEE Trans. Pattern
   Anal. Mach. Intell. 2, 165). So structure is kept where it is significant, and the sky becomes smooth.
"""

import numpy as np
from scipy import fft, ndimage

REGULARISATION = 0.01
SHRINKAGE, WINDOW = 2.0, 5
SCALES = 4
"""Wavelet scales; what is smoother is kept."""
SPLINE = np.array([1, 4, 6, 4, 1]) / 16
MARGIN = 32
"""Pixels of empty sky around an image, so that opposite edges do not touch."""


def restored(
    image: np.ndarray, variance: float, correlation: np.ndarray | None, psf: np.ndarray, fwhm_pixels: float
) -> np.ndarray:
    """An image as seen, without noise, through a Gaussian point-spread function, [h, w].

    Args:
        image: without background, [h, w].
        variance: of the noise of a pixel.
        correlation: of the noise, with lag 0 in the middle; None: white noise.
        psf: of the image.
        fwhm_pixels: full width at half maximum of the Gaussian.
    """
    padded = np.pad(image, MARGIN)
    transfer = _transfer(psf, padded.shape, fwhm_pixels)
    power = variance * noise_power(padded.shape, correlation) * np.abs(transfer) ** 2
    sharp = fft.ifft2(fft.fft2(padded) * transfer).real
    return _denoised(sharp, power)[MARGIN:-MARGIN, MARGIN:-MARGIN]


def noise_power(shape: tuple[int, ...], correlation: np.ndarray | None) -> np.ndarray:
    """The power spectrum of noise of unit variance, whose mean is 1, [h, w]."""
    if correlation is None:
        return np.ones(shape)
    cyclic = np.zeros(shape)
    rows, columns = (_lags(own, side) for own, side in zip(correlation.shape, shape, strict=True))
    middle_y, middle_x = (side // 2 for side in correlation.shape)
    cyclic[np.ix_(rows, columns)] = correlation[np.ix_(rows + middle_y, columns + middle_x)]
    power = fft.fft2(cyclic).real.clip(min=0)
    return power / power.mean()


def _lags(correlation_side: int, side: int) -> np.ndarray:
    """The lags along an axis that both a correlation function and an image have."""
    most = min(correlation_side // 2, (side - 1) // 2)
    return np.arange(-most, most + 1)


def _transfer(psf: np.ndarray, shape: tuple[int, ...], fwhm_pixels: float) -> np.ndarray:
    cyclic = np.zeros(shape)
    height, width = psf.shape
    cyclic[:height, :width] = psf
    blur = fft.fft2(np.roll(cyclic, (-(height // 2), -(width // 2)), axis=(0, 1)))
    ky, kx = (2 * np.pi * fft.fftfreq(side) for side in shape)
    sigma = fwhm_pixels / np.sqrt(8 * np.log(2))
    gaussian = np.exp(-0.5 * sigma**2 * (ky[:, None] ** 2 + kx**2))
    return gaussian * blur.conj() / (np.abs(blur) ** 2 + REGULARISATION)


def smoothed(image: np.ndarray, scale: int) -> np.ndarray:
    """A cyclic image under the B-spline whose taps are 2^scale pixels apart."""
    taps = np.zeros(4 * 2**scale + 1)
    taps[:: 2**scale] = SPLINE
    return ndimage.convolve1d(ndimage.convolve1d(image, taps, axis=0, mode="wrap"), taps, axis=1, mode="wrap")


def _denoised(image: np.ndarray, power: np.ndarray) -> np.ndarray:
    """A cyclic image whose noise has the given power spectrum, denoised scale by scale."""
    impulse = np.zeros_like(image)
    impulse[0, 0] = 1
    result = np.zeros_like(image)
    for scale in range(SCALES):
        smoother, response = smoothed(image, scale), smoothed(impulse, scale)
        variance = np.mean(power * np.abs(fft.fft2(impulse - response)) ** 2)
        detail = image - smoother
        energy = ndimage.uniform_filter(detail**2, WINDOW, mode="wrap")
        result += detail * (1 - SHRINKAGE * variance / np.maximum(energy, variance)).clip(min=0)
        image, impulse = smoother, response
    return result + image
