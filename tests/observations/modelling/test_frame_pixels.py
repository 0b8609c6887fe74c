"""Frames as users have them, to be fitted: with empty borders, arcs that are cut off, other units, or no lens."""

from dataclasses import replace

import numpy as np
import pytest

from frames_like_hst import SCALE, Lens, frame, psf
from oddlens.observations.frames import make_frame
from oddlens.observations.modelling.frame_fit import fit_frame
from oddlens.observations.modelling.frame_pixels import pixels_of_frame

LENS = Lens(b=0.65, q=0.8, source=(0.04, 0.06))
SIDE = 81


@pytest.fixture(scope="module")
def pixels():
    return frame(LENS, pixels=SIDE, signal_to_noise=40)


def frame_of(pixels, rows=slice(None), columns=slice(None), **changes):
    given = {"psf": pixels.psf, "noise": pixels.sigma[rows, columns]} | changes
    return make_frame("lens", pixels.image[rows, columns], SCALE, **given)


def test_an_empty_border_is_left_out(pixels):
    border = [(20, 7), (3, 11)]
    padded = replace(
        pixels, image=np.pad(pixels.image, border, constant_values=np.nan), sigma=np.pad(pixels.sigma, border)
    )
    found, _ = pixels_of_frame(frame_of(padded))
    expected, _ = pixels_of_frame(frame_of(pixels))
    np.testing.assert_allclose(found.image, expected.image, atol=0.005)  # a fifth of the noise: the sky's level
    assert found.centre == expected.centre
    assert found.noise.pixels == pytest.approx(expected.noise.pixels, abs=100)


def test_the_rest_of_a_ring_that_the_frame_cuts_is_fitted():
    lens = Lens(b=0.9, q=0.8, source=(0.04, 0.06))
    cut, notes = pixels_of_frame(frame_of(frame(lens, pixels=SIDE), columns=slice(26, None)))
    assert (cut.centre[1] + 1) * SCALE < lens.b < cut.room_arcsec
    assert any("masked or beyond the frame" in note for note in notes)
    assert float(fit_frame(cut, 1.3).fit.parameters[0]) == pytest.approx(lens.b, rel=0.03)


@pytest.mark.parametrize("where", ["beside the middle", "two lenses"])
def test_a_lens_that_is_not_in_the_middle_is_refused(pixels, where):
    if where == "two lenses":
        twice = replace(pixels, image=np.tile(pixels.image, 2), sigma=np.tile(pixels.sigma, 2))
        beside = frame_of(twice)
    else:
        beside = frame_of(pixels, rows=slice(35, None), columns=slice(35, None))
    with pytest.raises(ValueError, match="no galaxy has its centre"):
        pixels_of_frame(beside)


def test_a_psf_without_light_is_refused_and_one_that_is_not_centred_is_cut(pixels):
    with pytest.raises(ValueError, match="no light"):
        pixels_of_frame(frame_of(pixels, psf=np.zeros((11, 11))))
    shifted = np.roll(psf(15), (2, 1), (0, 1))
    found, notes = pixels_of_frame(frame_of(pixels, psf=shifted))
    assert found.psf.shape == (11, 11)
    assert found.psf.argmax() == 60
    assert any("not centred" in note for note in notes)


def test_a_star_is_refused_whatever_its_noise(pixels):
    y, x = np.indices(pixels.image.shape) - SIDE // 2
    sky = np.random.default_rng(4).standard_normal(pixels.image.shape)
    star = 500 * np.exp(-(x**2 + y**2) / (2 * 0.95**2)) + sky
    with pytest.raises(ValueError, match="a star"):
        pixels_of_frame(make_frame("star", star, SCALE, psf=psf(15), noise=np.ones_like(star)))


def test_equal_noise_is_reported(pixels):
    _, notes = pixels_of_frame(frame_of(pixels, noise=None))
    assert any("the same in all pixels" in note for note in notes)
    _, notes = pixels_of_frame(frame_of(pixels))
    assert not notes


def test_the_unit_of_brightness_does_not_matter(pixels):
    factor = 2.0**-60  # no rounding, which could end in another optimum; as small as fluxes in erg/s/cm^2
    other = replace(pixels, image=factor * pixels.image, sigma=factor * pixels.sigma)
    found, expected = (fit_frame(each, 1.1) for each in (other, pixels))
    np.testing.assert_allclose(found.fit.parameters, expected.fit.parameters, rtol=1e-6)
    np.testing.assert_allclose(found.lens.source / factor, expected.lens.source, rtol=1e-6)


@pytest.mark.parametrize(("radius", "message"), [(-1.0, "must be positive"), (0.2, "a fit needs")])
def test_circles_that_hold_no_lens_are_refused(pixels, radius, message):
    with pytest.raises(ValueError, match=message):
        fit_frame(pixels, radius)
