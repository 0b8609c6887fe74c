"""Fits of the lens light, and their subtraction."""

import numpy as np
import pytest

from conftest import ROOT
from oddlens.observations.frames import lens_centre, read_frame
from oddlens.observations.lens_light import lens_light, subtract_lens_light
from toy_lenses import toy_frame, toy_lens

LENSES = ROOT.parent / "shared" / "data" / "real-lenses"


def subtracted(frame, centre):
    return subtract_lens_light(frame, centre, lens_light(frame, centre))


def test_lens_light_is_removed_and_the_ring_stays():
    light, ring, noise = toy_lens()
    frame = toy_frame(light + ring + noise, sigma=0.01)
    residual = subtracted(frame, lens_centre(frame))
    radius = np.hypot(*frame.offsets_arcsec((80, 80)))
    around, beside = (radius > 0.9) & (radius < 1.5), (radius > 0.4) & (radius < 0.85)
    assert residual[around].sum() == pytest.approx(ring[around].sum(), rel=0.1)
    assert abs((residual - ring)[beside].sum()) < 0.03 * light[beside].sum()
    assert (residual[radius < 0.3] == 0).all()


def test_masked_pixels_have_no_influence():
    light, ring, noise = toy_lens()
    image, masked = light + ring + noise, np.zeros(light.shape, bool)
    masked[20:50, 20:50] = True
    lit = np.where(masked, 50.0, image)
    residuals = [subtracted(toy_frame(i, sigma=0.01, masked=masked), (80, 80)) for i in (image, lit)]
    np.testing.assert_array_equal(*residuals)
    assert (residuals[0][masked] == 0).all()


@pytest.mark.skipif(not LENSES.is_dir(), reason="the real lenses are not here")
def test_the_arcs_of_sdssj0946_stand_out():
    frame = read_frame(LENSES / "sdssj0946p1006")
    residual = subtracted(frame, lens_centre(frame))
    radius = np.hypot(*frame.offsets_arcsec(lens_centre(frame)))
    rings = [residual[(radius > low) & (radius < low + 0.3) & ~frame.masked].mean() for low in (0.5, 1.25, 2.3)]
    assert rings[1] > 10 * max(abs(rings[0]), abs(rings[2]))
