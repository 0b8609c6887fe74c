"""FITS files of several units around a toy lens."""

import numpy as np
from astropy.io import fits

from toy_lenses import SCALE, gaussian, toy_lens

WCS = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CD1_1": -SCALE / 3600, "CD2_2": SCALE / 3600}


def image(size=161, seed=0):
    """A lens with its light, as a FITS array."""
    return np.flipud(sum(toy_lens(size, seed)))


def psf(pixels=21, fwhm_arcsec=0.1):
    return gaussian((pixels, pixels), (pixels // 2, pixels // 2), fwhm_arcsec)


def unit(name, array, **cards):
    """An extension with a name."""
    return fits.ImageHDU(np.asarray(array), fits.Header({**cards, **({"EXTNAME": name} if name else {})}))


def write_units(path, *units, primary=None, **cards):
    fits.HDUList([fits.PrimaryHDU(primary, fits.Header(cards)), *units]).writeto(path)
    return path
