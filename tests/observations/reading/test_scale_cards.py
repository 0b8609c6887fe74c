"""The cards of a FITS header from which its pixel scale follows: equal ones are read once for many images."""

import numpy as np
import pytest
from astropy.io import fits

from oddlens.observations.reading import fits_units, image_files
from oddlens.observations.reading import pixel_scale as pixel_scale_module
from oddlens.observations.reading.pixel_scale import pixel_scale

SCALE_HEADERS = [
    {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CD1_1": -1e-5, "CD1_2": 2e-6, "CD2_1": 2e-6, "CD2_2": 1e-5},
    {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -1e-5, "CDELT2": 1e-5, "PC1_1": 0.6, "PC1_2": 0.8},
    {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -1e-5, "CDELT2": 1e-5, "PC001001": 1.0},
    {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CDELT1": -1e-5, "CDELT2": 1e-5, "PV2_1": 0.1, "CRPIX1": 3e5},
    {"CTYPE1A": "RA---TAN", "CTYPE2A": "DEC--TAN", "CD1_1A": -1e-5, "CD2_2A": 1e-5},
    {
        "CDELT1": 0.05,
        "CDELT2": 0.05,
        "CUNIT1": "arcsec",
        "CUNIT2": "arcsec",
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
    },
    {"GS_WCS": "GSFitsWCS", "GS_SCALE": 0.05, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CD1_1": 0.05, "CD2_2": 0.05},
    {"PIXSCALE": (50.0, "mas per pixel")},
    {"HIERARCH PIXEL_SCALE": 0.05},
    {"PXSCAL1": -0.05, "PXSCAL2": 0.05},
    {"PIXSIZE1": (15.0, "micron"), "SECPIX": 0.05},
    {"PIXSCALE": "none"},
    {"PIXSCALE": 0.05, "PIXELSCL": 0.06},
    {},
]


@pytest.mark.parametrize("cards", SCALE_HEADERS)
def test_the_cards_that_are_kept_state_the_scale_of_the_whole_header(tmp_path, cards):
    header = fits.Header()
    for key, value in {"ORIGIN": "a long text " * 12, "CRVAL1": 10.0, **cards, "EXPTIME": 3.0}.items():
        header[key] = value  # or value and comment
    header["HISTORY"] = "CD1_1 = 5"
    header["OBSERVER"] = "another long text that needs several cards " * 4
    path = tmp_path / "image.fits"
    fits.writeto(path, np.zeros((40, 40), np.float32), header)
    (unit,) = fits_units.read(path)
    assert unit.cards[0]
    assert b"EXPTIME" not in unit.cards[0]
    results = []
    for raw in (None, unit.cards):
        try:
            results.append(pixel_scale(path, unit.header, None, unit.primary, raw))
        except ValueError as error:
            results.append(str(error))
    assert results[0] == results[1]
    assert (results[0] is None) == (not cards)


def test_equal_cards_are_read_once(tmp_path, monkeypatch):
    calls = []
    scales = pixel_scale_module.wcs_scales
    monkeypatch.setattr(pixel_scale_module, "wcs_scales", lambda header: calls.append(1) or scales(header))
    for k in range(3):
        cards = {**SCALE_HEADERS[0], "CD1_1": -1.234e-5, "CD2_2": 1.234e-5, "CRVAL1": 10.0 + k, "OBJECT": f"lens {k}"}
        path = tmp_path / f"{k}.fits"
        fits.writeto(path, np.zeros((40, 40), np.float32), fits.Header(cards))
        (stack,) = image_files.read(path)
        assert stack.pixel_scale_arcsec == pytest.approx(0.045, rel=0.01)
    assert len(calls) == 1
