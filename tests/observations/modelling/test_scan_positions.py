"""Positions of a scan for masses: the most significant ones, and that nearest to a place."""

import numpy as np
import pytest

from oddlens.observations.modelling.mass_scan import MassScan

ALONG = np.linspace(-1, 1, 21)


@pytest.fixture
def scan():
    """Two masses and a negative one, on a background without any."""
    significance = np.zeros((21, 21))
    for row, column, z in ((2, 5, 6.0), (3, 5, 5.0), (15, 12, 4.0), (10, 18, -7.0)):
        significance[row, column] = z
    return MassScan(ALONG, significance, significance / 100, np.full((21, 21), 0.01))


def test_maxima_are_apart_and_of_one_sign(scan):
    assert scan.maxima(2, 0.3) == [(2, 5), (15, 12)]
    assert scan.maxima(1, 0.3, -1) == [(10, 18)]
    assert len(scan.maxima(5, 0.3, -1)) == 1


def test_the_nearest_position_of_a_position_is_itself(scan):
    for at in ((0, 0), (2, 5), (20, 20), (10, 18)):
        assert scan.nearest(*scan.at(*at)) == at
    y, x = scan.at(2, 5)
    assert scan.nearest(y + 0.04, x - 0.04) == (2, 5)
    assert scan.nearest(5.0, -5.0) == (0, 0)
