"""Unusable pixels, and masks that hide the lens."""

import numpy as np
import pytest
from scipy import ndimage

from oddlens.observations.frames import make_frame
from oddlens.observations.masks import check_lens_is_visible, unusable_pixels
from toy_lenses import SCALE, toy_lens

SHAPE = (161, 161)


def radius(row=80, column=80):
    y, x = np.indices(SHAPE)
    return np.hypot(y - row, x - column) * SCALE


def check(mask, nan=None):
    """The sentence of the check, of a mask or of pixels that are not finite."""
    masked = mask if nan is None else nan
    return check_lens_is_visible("toy", masked, mask, SCALE)


INVERTED = {
    "a circle to use": radius() < 3,
    "a small circle to use": radius() < 1.5,
    "an annulus to use": (radius() > 0.75) & (radius() < 2.15),
    "a narrow annulus to use": (radius() > 0.9) & (radius() < 1.8),
    "all but a companion": radius(30, 30) > 0.5,
    "a core to use": radius() > 0.5,
    "all but stars": np.random.default_rng(0).random(SHAPE) > 0.02,
}
GOOD = {
    "nothing": np.zeros(SHAPE, bool),
    "the core": radius() < 0.3,
    "a companion": radius(80, 110) < 0.5,
    "companions and stars": (radius(60, 110) < 0.6) | (radius(20, 20) < 0.5) | (radius(120, 70) < 0.2),
    "an aperture": radius() > 3,
    "a narrow aperture": radius() > 1.2,
    "an annulus": (radius() < 0.75) | (radius() > 2.15),
    "a rotated frame": ndimage.rotate(np.zeros((114, 114)), 45, cval=1.0, order=0)[:161, :161] > 0.5,
    "an edge of the detector": np.indices(SHAPE)[1] > 100,
}


@pytest.mark.parametrize("name", INVERTED)
def test_a_mask_that_hides_the_lens_is_refused_and_seems_inverted(name):
    with pytest.raises(ValueError, match=r"toy: the lens is masked: \d+% .*1 = use"):
        check(INVERTED[name])


@pytest.mark.parametrize("name", GOOD)
def test_masks_of_other_things_are_used(name):
    check(GOOD[name])


def test_a_mask_that_covers_much_is_reported():
    assert "16%" in check(radius(80, 115) < 1.1)
    assert check(GOOD["a companion"]) == ""


def test_a_hole_over_the_lens_is_refused_without_blaming_a_mask():
    with pytest.raises(ValueError, match="not finite") as caught:
        check(None, radius() < 1.5)
    assert "invert" not in str(caught.value)
    with pytest.raises(ValueError, match="not finite"):
        check(GOOD["a companion"], radius() < 1.5)
    with pytest.raises(ValueError, match="not finite"):
        check(None, np.indices(SHAPE)[1] > 88)


@pytest.mark.parametrize("mask_type", [bool, np.uint8, np.float32])
def test_make_frame_refuses_an_inverted_mask_of_any_type(mask_type):
    image = sum(toy_lens())
    with pytest.raises(ValueError, match="1 = use"):
        make_frame("toy", image, SCALE, mask=(radius() < 3).astype(mask_type))
    assert make_frame("toy", image, SCALE, mask=(radius() >= 3).astype(mask_type)).masked.mean() > 0.5


@pytest.mark.parametrize("flag", [1e8, 1e16, np.inf, np.nan, 0.0, -1.0])
def test_huge_noise_marks_pixels_that_are_not_used(flag):
    flagged = radius(110, 110) < 0.8
    noise = np.where(flagged, flag, 0.01)
    np.testing.assert_array_equal(unusable_pixels(sum(toy_lens()), noise, None, None)[0], flagged)


def test_the_noise_of_a_bright_core_is_no_flag():
    noise = 0.01 * np.sqrt(1 + 1e4 * np.exp(-radius() / 0.1))
    assert not unusable_pixels(sum(toy_lens()), noise, None, None)[0].any()


@pytest.mark.parametrize("value", [0.0, 5.0, -999.0])
@pytest.mark.parametrize("kind", ["float", "counts"])
def test_padding_is_masked(value, kind):
    image = 100 * sum(toy_lens()) if kind == "float" else np.round(1000 + 200 * sum(toy_lens()))
    padded = radius() > 3.2
    masked, notes = unusable_pixels(np.where(padded, value, image), None, None, None)
    assert (masked != padded).mean() < 0.02
    assert "constant" in notes[0]
    assert not unusable_pixels(image, None, None, None)[0].any()
