"""Made-up frames of lenses, as files."""

import numpy as np
from astropy.io import fits
from astropy.modeling.models import Gaussian2D, Sersic2D

SCALE = 0.05  # arcsec


def gaussian(shape, centre, fwhm_arcsec, flux=1.0):
    y, x = np.indices(shape)
    sigma = fwhm_arcsec / 2.3548 / SCALE
    image = Gaussian2D(1, centre[1], centre[0], sigma, sigma)(x, y)
    return flux * image / image.sum()


def toy_lens(size=161, seed=0):
    """Lens light, a ring of radius 1.2 arcsec, and noise."""
    y, x = (np.indices((size, size)) - size // 2) * SCALE
    light = Sersic2D(0.05, 2.0, 1.2, 0.02, -0.01, 0.3, 0.4)(x, y) + Sersic2D(0.4, 0.5, 3.0, 0.0, 0.0, 0.15, 0.6)(x, y)
    ring = np.exp(-0.5 * ((np.hypot(x, y) - 1.2) / 0.07) ** 2) * (1 + 0.7 * np.cos(np.arctan2(y, x)))
    return light, 0.5 * ring, np.random.default_rng(seed).normal(0, 0.01, light.shape)


def write_lens(folder, size=161, noise_map=True, psf=True, **header):
    folder.mkdir()
    light, ring, noise = toy_lens(size)
    fits.PrimaryHDU(np.flipud(light + ring + noise), fits.Header(header)).writeto(folder / "data.fits")
    if noise_map:
        fits.PrimaryHDU(np.full(light.shape, 0.01)).writeto(folder / "noise_map.fits")
    if psf:
        fits.PrimaryHDU(0.95 * gaussian((21, 21), (10, 10), 0.1)).writeto(folder / "psf.fits")
    return folder


def write_index(folder, *rows):
    lines = ["name,band,pixel_scale_arcsec,data,noise,psf,mask,lens_light,claim", *rows]
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    return folder / "index.csv"
