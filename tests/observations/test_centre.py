"""The lens centre under masks."""

import numpy as np
import pytest

from oddlens.observations.centre import find_centre
from toy_lenses import SCALE, toy_lens

CENTRE = (84, 74)


def lens():
    """A toy lens off the middle of its frame."""
    return np.roll(sum(toy_lens()), (4, -6), axis=(0, 1))


def radius(row, column):
    y, x = np.indices((161, 161))
    return np.hypot(y - row, x - column) * SCALE


def centre(usable, sky=0.0):
    """The centre that is found when unusable pixels hold a large value, which must not matter."""
    return find_centre(np.where(usable, lens() + sky, 1e6), usable, SCALE)


@pytest.mark.parametrize("sky", [0, -5, 1000])
@pytest.mark.parametrize(("hole", "off"), [(0.1, 0), (0.15, 0.05), (0.3, 0), (0.3, 0.1), (0.4, 0)])
def test_a_masked_core_hides_no_centre(hole, off, sky):
    steps = off / SCALE * np.array([[1, 0], [0, 1], [-0.7, 0.7]])
    for row, column in CENTRE + steps:
        assert np.abs(np.subtract(centre(radius(row, column) >= hole, sky), CENTRE)).max() <= 1


def test_a_mask_beside_the_core_moves_no_centre():
    for row, column in ((84, 86), (70, 74), (92, 82)):
        assert centre(radius(row, column) >= 0.3, -3) == CENTRE
    half = np.ones((161, 161), bool)
    half[:, :66] = False
    assert centre(half, -3) == CENTRE


def test_a_masked_column_through_the_core_moves_no_centre():
    usable = np.ones((161, 161), bool)
    usable[:, CENTRE[1]] = False
    assert np.abs(np.subtract(centre(usable), CENTRE)).max() <= 1


def test_a_frame_that_is_masked_around_the_middle_has_a_centre():
    row, column = centre(radius(80, 80) > 1.5)
    assert (0 <= row < 161) & (0 <= column < 161)
