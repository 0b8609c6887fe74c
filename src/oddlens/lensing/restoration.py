"""Restoration of images with known noise: partial deconvolution, and denoising.

1. The image is divided, in Fourier space, by its point-spread function P and multiplied by a Gaussian G,
   T = G P* / (|P|^2 + `REGULARISATION`). The contrast of structure as wide as the point-spread function comes back,
   and its wings vanish. Finer structure, where |P| is small, stays lost. The power spectrum of the noise is known
   before and after.
2. The result is decomposed into scales by the starlet transform, an undecimated wavelet transform with the cubic
   B-spline (Starck, Fadili & Murtagh 2007, IEEE Trans. Image Process. 16, 297). The noise of a scale has a variance
   s^2 that follows from the power spectrum. A coefficient w is multiplied by max(0, 1 - `SHRINKAGE` s^2 / <w^2>), with
   the mean over `WINDOW` x `WINDOW` pixels. This is a Wiener filter whose signal is estimated locally (Lee 1980, IEEE
   Trans. Pattern Anal. Mach. Intell. 2, 165). Significant structure is kept, and the sky becomes smooth.
"""

import numpy as np
from scipy import fft, ndimage

from oddlens.lensing.psf_files import fwhm_pixels

REGULARISATION, SHARPNESS = 0.01, 0.6
"""The second is the width of the Gaussian over that of the point-spread function. Of clumpy made-up galaxies with the
noise of COSMOS and peak signal-to-noise ratios of 10 to 50, these have nearly the smallest errors."""
SHRINKAGE, WINDOW = 2.0, 5
SCALES = 4
"""Wavelet scales; what is smoother is kept."""
SPLINE = np.array([1, 4, 6, 4, 1]) / 16
CORE = 12
"""Pixels from the centre of a point-spread function in which its width is measured."""
MARGIN = 32
"""Pixels of empty sky around an image, so that opposite edges do not touch."""


def restored(image: np.ndarray, variance: float, correlation: np.ndarray | None, psf: np.ndarray) -> np.ndarray:
    """An image as seen, without noise, through the point-spread function `remaining_psf`, [h, w].

    Args:
        image: without background, [h, w].
        variance: of the noise of a pixel.
        correlation: of the noise, with lag 0 in the middle; None: white noise.
        psf: of the image.
    """
    padded = np.pad(image, MARGIN)
    transfer = _transfer(psf, padded.shape)
    power = variance * noise_power(padded.shape, correlation) * np.abs(transfer) ** 2
    sharp = fft.ifft2(fft.fft2(padded) * transfer).real
    return _denoised(sharp, power)[MARGIN:-MARGIN, MARGIN:-MARGIN]


def remaining_psf(psf: np.ndarray) -> np.ndarray:
    """The point-spread function of images after their restoration from `psf`, in a square with an odd side."""
    side = max(psf.shape) + MARGIN
    side += 1 - side % 2
    remaining = fft.ifft2(_blur(psf, (side, side)) * _transfer(psf, (side, side))).real
    return np.roll(remaining, (side // 2, side // 2), axis=(0, 1))


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


def _blur(psf: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The Fourier transform of a point-spread function in an image that may be smaller, of which the rest is cut."""
    height, width = (min(own, side - 1 + side % 2) for own, side in zip(psf.shape, shape, strict=True))
    top, left = (psf.shape[0] - height) // 2, (psf.shape[1] - width) // 2
    cyclic = np.zeros(shape)
    cyclic[:height, :width] = psf[top : top + height, left : left + width]
    return fft.fft2(np.roll(cyclic, (-(height // 2), -(width // 2)), axis=(0, 1)))


def _transfer(psf: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    blur = _blur(psf, shape)
    ky, kx = (2 * np.pi * fft.fftfreq(side) for side in shape)
    sigma = SHARPNESS * width(psf) / np.sqrt(8 * np.log(2))
    gaussian = np.exp(-0.5 * sigma**2 * (ky[:, None] ** 2 + kx**2))
    return gaussian * blur.conj() / (np.abs(blur) ** 2 + REGULARISATION)


def width(psf: np.ndarray) -> float:
    """Full width at half maximum of a point-spread function that is much narrower than `CORE` pixels."""
    height, length = psf.shape
    core = np.pad(psf, CORE)[height // 2 :, length // 2 :][: 2 * CORE + 1, : 2 * CORE + 1]
    return fwhm_pixels(core)


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
