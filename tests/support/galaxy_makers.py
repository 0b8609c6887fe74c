"""Catalogues of made-up galaxies: smooth or with clumps, blurred and noisy."""

import numpy as np
from astropy.io import fits
from scipy import fft

SIDE = 41
PSF_FWHM = 3.5
"""Pixels."""


def bell(side, fwhm, y=0.0, x=0.0):
    axis = np.arange(side) - side // 2
    return np.exp(-4 * np.log(2) * ((axis[:, None] - y) ** 2 + (axis - x) ** 2) / fwhm**2)


def psf():
    return bell(15, PSF_FWHM) / bell(15, PSF_FWHM).sum()


def correlation():
    """That of white noise under a Gaussian."""
    return bell(11, 2.5)


def galaxy(random, side=SIDE, fwhm=PSF_FWHM):
    """A round exponential disc with clumps under a Gaussian of some width in pixels, row 0 at the top."""
    over = 5
    axis = (np.arange(side * over) - (side * over - 1) / 2) / over
    light = np.exp(-np.hypot(axis[:, None], axis) / 3.0)
    for _ in range(4):
        y, x = random.uniform(-6, 6, 2)
        light += random.uniform(0.3, 1) * np.exp(-0.5 * ((axis[:, None] - y) ** 2 + (axis - x) ** 2))
    sigma = fwhm / np.sqrt(8 * np.log(2)) * over
    k = 2 * np.pi * fft.fftfreq(len(axis))
    blurred = fft.ifft2(fft.fft2(light) * np.exp(-0.5 * sigma**2 * (k[:, None] ** 2 + k**2))).real
    return blurred.reshape(side, over, side, over).mean(axis=(1, 3))


def noise(random, side=SIDE):
    """Noise of unit variance with the correlation above."""
    power = fft.fft2(fft.ifftshift(np.pad(correlation(), 50))).real.clip(min=0)
    white = fft.fft2(random.standard_normal(power.shape))
    return (fft.ifft2(white * np.sqrt(power)).real)[:side, :side]


def noisy(random, peak_sn, side=SIDE):
    """An observed galaxy, and the variance of its noise."""
    light = galaxy(random, side)
    sigma = light.max() / peak_sn
    return light + sigma * noise(random, side), sigma**2


def units(name, image, variance, kernel=None):
    """The extensions of a galaxy; row 0 of the image is the top, and the last in a file."""
    header = fits.Header({"EXTNAME": f"GAL{name}", "NOISEVAR": variance})
    kernel = psf() if kernel is None else kernel
    return [
        fits.ImageHDU(image[::-1].astype(np.float32), header),
        fits.ImageHDU(kernel[::-1].astype(np.float32), fits.Header({"EXTNAME": f"PSF{name}"})),
    ]


def write_catalogue(folder, count=24, peak_sn=30.0, seed=0):
    """A catalogue and its noise correlation; returns the section `source.images`."""
    random, hdus = np.random.default_rng(seed), [fits.PrimaryHDU()]
    for k in range(count):
        hdus += units(f"{k:03d}", *noisy(random, peak_sn))
    fits.HDUList(hdus).writeto(folder / "galaxies.fits", overwrite=True)
    fits.PrimaryHDU(correlation().astype(np.float32)).writeto(folder / "noise.fits", overwrite=True)
    return {"file": str(folder / "galaxies.fits"), "noise_correlation": str(folder / "noise.fits")}
