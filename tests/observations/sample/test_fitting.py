"""Images of files as square images of a data set."""

import numpy as np
import pytest

from oddlens.observations.sample.fitting import fitted, normalised

IMAGE = np.arange(12.0 * 15).reshape(12, 15)


def test_an_image_of_the_right_size_is_taken_as_it_is():
    square, factor = fitted(IMAGE[:, :12], 12, "exact")
    assert np.array_equal(square, IMAGE[:, :12])
    assert factor == 1


@pytest.mark.parametrize("pixels", [8, 12, 15])
def test_another_size_is_refused_unless_it_may_be_cut(pixels):
    with pytest.raises(ValueError, match="12 x 15"):
        fitted(IMAGE, pixels, "exact")


@pytest.mark.parametrize("fit", ["crop", "bin"])
def test_too_small_an_image_is_refused(fit):
    with pytest.raises(ValueError, match="12 x 15"):
        fitted(IMAGE, 13, fit)


def test_cutting_keeps_the_centre():
    square, factor = fitted(IMAGE, 10, "crop")
    assert np.array_equal(square, IMAGE[1:11, 2:12])
    assert factor == 1


def test_binning_adds_up_whole_pixels_and_keeps_the_flux():
    square, factor = fitted(np.ones((13, 13)), 4, "bin")
    assert factor == 3
    assert np.array_equal(square, np.full((4, 4), 9.0))
    assert square.sum() == 144


def test_a_pixel_that_is_not_finite_stays_so_when_it_is_added_up():
    image = np.ones((8, 8))
    image[3, 3] = np.nan
    assert np.isnan(fitted(image, 4, "bin")[0]).sum() == 1


def test_the_sky_is_subtracted_and_the_peak_is_one():
    image = np.full((16, 16), 5.0)
    image[8, 8] = 25
    assert normalised(image, "sky").max() == pytest.approx(20)
    assert np.median(normalised(image, "sky")) == pytest.approx(0)
    assert normalised(image, "peak").max() == 1
    assert np.array_equal(normalised(image, "none"), image)
    with pytest.raises(ValueError, match="brightest"):
        normalised(-image, "peak")
