"""Trivial statistics of images, against definitions."""

import numpy as np
import pytest

from oddlens.statistics.image_statistics import image_statistics


def test_statistics_of_one_image():
    image = np.zeros((1, 10, 10))
    image[0, 5, 7] = 4
    image[0, 5, 6] = 4
    found = {name: values[0] for name, values in image_statistics(image + 1).items()}
    assert found["flux"] == 108
    assert found["peak"] == 5
    assert found["minimum"] == 1
    assert found["border_median"] == 1
    assert found["border_scatter"] == 0
    assert found["distinct_values"] == 2
    assert found["saturated_share"] == 0.02
    assert found["centroid_x"] == pytest.approx(2)
    assert found["centroid_y"] == pytest.approx(0.5)


def test_noise_is_measured_in_the_border_and_its_correlation_between_neighbours():
    white = np.random.default_rng(0).normal(3, 2, (20, 40, 40))
    smooth = (white[:, :, 1:] + white[:, :, :-1])[:, :-1] / 2
    found, correlated = image_statistics(white), image_statistics(smooth)
    assert np.median(found["border_scatter"]) == pytest.approx(2, rel=0.1)
    assert np.median(found["lag1_correlation"]) == pytest.approx(-2 / 3, abs=0.05)
    assert np.median(correlated["lag1_correlation"]) > np.median(found["lag1_correlation"]) + 0.1


def test_pixels_without_a_value_are_ignored():
    image = np.random.default_rng(0).normal(3, 2, (3, 12, 12))
    image[0, 2:5] = np.nan
    image[1] = np.nan
    image[2, 0], image[2, -1], image[2, :, 0], image[2, :, -1] = (np.nan,) * 4
    found = image_statistics(image)
    assert all(np.isfinite(values).all() for values in found.values())
    assert found["flux"][0] == pytest.approx(np.nansum(image[0]))
