"""The counter-images of what a mass perturbs."""

import numpy as np
import pytest

from frames_like_hst import Lens, frame
from oddlens.observations.modelling.counter_images import counter_images, significance_without
from oddlens.observations.modelling.frame_fit import fit_frame

PLACE = 0.55, -0.75
LENS = Lens(perturber=(0.03, 0.25, *PLACE))


@pytest.fixture(scope="module")
def found():
    return fit_frame(frame(LENS), 1.9)


def test_counter_images_show_the_perturbed_part_of_the_source(found):
    mass = found.masses[0]
    images = counter_images(found.residuals, mass.y, mass.x)
    assert images
    smooth = Lens()
    at = np.array([mass.y, mass.x])
    perturbed = at - smooth.deflections(*at)
    for image in images:
        place = np.array([image.y_arcsec, image.x_arcsec])
        assert np.hypot(*(place - at)) > 0.4
        ends = place - smooth.deflections(*place)
        assert np.hypot(*(ends - perturbed)) < 0.3


def test_a_planted_mass_does_not_rest_on_one_counter_image(found):
    mass = found.masses[0]
    for image in counter_images(found.residuals, mass.y, mass.x):
        assert image.significance_without > 0.6 * found.residuals.significance(mass.y, mass.x)


def test_without_the_perturbed_image_nothing_is_left(found):
    mass, seen = found.masses[0], found.model.observation
    y, x = mass.y, mass.x
    with_all = found.residuals.significance(y, x)
    nothing = np.zeros(seen.count, bool)
    assert significance_without(found.residuals, nothing, y, x) == pytest.approx(with_all, abs=0.02)
    near = np.hypot(seen.pixel_y.numpy() - y, seen.pixel_x.numpy() - x) < 0.6
    assert significance_without(found.residuals, near, y, x) < 0.7 * with_all
