"""Frames of known lenses from their pixels to the smooth lens, and masses that are found in their residuals."""

from dataclasses import replace

import numpy as np
import pytest

from frames_like_hst import SCALE, Lens, frame, noise_free
from oddlens.observations.modelling.binning import binned
from oddlens.observations.modelling.blind_start import BlindSearch
from oddlens.observations.modelling.frame_fit import fit_frame
from oddlens.observations.modelling.lens_light import LensLight
from oddlens.observations.modelling.light_start import fit_light
from oddlens.observations.modelling.model_error import wider_psf
from oddlens.observations.modelling.observation import Observation
from oddlens.observations.modelling.perturber import PseudoJaffe
from oddlens.observations.modelling.planted import Planted
from oddlens.observations.modelling.twins import TwinMaker, correlated_noise

LENSES = [
    Lens(),
    Lens(b=1.1, q=0.85, angle=2.0, slope=1.9, shear_angle=0.2, source=(-0.2, 0.15)),
    Lens(b=0.7, q=0.65, angle=1.2, slope=2.2, shear=0.02, source=(0.03, -0.02)),
]


def test_binned_pixels_are_means_and_keep_the_centre():
    pixels = frame(Lens(), pixels=61)
    coarse = binned(pixels)
    y, x = coarse.positions
    fine_y, fine_x = pixels.positions
    at = np.argmin(np.hypot(y, x)), np.argmax(coarse.image)
    row, column = np.unravel_index(at[1], coarse.image.shape)
    near = (np.abs(fine_y - y[row, column]) < SCALE) & (np.abs(fine_x - x[row, column]) < SCALE)
    assert near.sum() == 4
    assert coarse.image[row, column] == pytest.approx(pixels.image[near].mean())
    assert coarse.psf.sum() == pytest.approx(1)
    assert coarse.psf.argmax() == coarse.psf.size // 2


def test_the_light_of_the_lens_galaxy_is_found_below_the_arcs():
    lens = Lens()
    pixels = frame(lens)
    seen = Observation(pixels, pixels.within(1.9), 2)
    found = fit_light(LensLight.of_widths(0.03, 2.0, 10), seen)
    source, light = noise_free(lens)
    error = (found.image.numpy() - light[seen.use]) / pixels.sigma[seen.use]
    outside = source[seen.use] < 0.05
    assert np.abs(np.median(error[outside])) < 0.3
    np.testing.assert_allclose(found.parameters[:2], lens.centre, atol=0.01)


@pytest.mark.parametrize("lens", LENSES)
def test_a_blind_search_finds_the_einstein_radius(lens):
    starts = BlindSearch(binned(frame(lens)), 1.9).run()
    assert starts[0].parameters[0] == pytest.approx(lens.b, rel=0.04)
    assert starts[0].magnification > 2


@pytest.fixture(scope="module")
def smooth():
    pixels = frame(Lens())
    return pixels, fit_frame(pixels, 1.9)


def test_a_smooth_lens_is_fitted_to_the_noise_and_leaves_no_mass(smooth):
    _, found = smooth
    value = dict(zip(found.model.names, found.fit.parameters.tolist(), strict=True))
    assert value["einstein_radius"] == pytest.approx(Lens().b, rel=0.01)
    assert value["slope"] == pytest.approx(Lens().slope, abs=0.12)  # without the determinant it is 1.86
    assert found.fit.linear.chi_square / found.model.observation.count == pytest.approx(0.95, abs=0.08)
    assert found.scan.largest < 5
    assert all(mass.area < 0 for mass in found.controls)
    assert all(mass.log_evidence_gain < 5 for mass in (*found.masses, *found.controls))


def test_a_planted_mass_is_found_where_it_is():
    place = 0.55, -0.75
    found = fit_frame(frame(Lens(perturber=(0.03, 0.25, *place))), 1.9)
    mass = found.masses[0]
    assert np.hypot(mass.y - place[0], mass.x - place[1]) < 0.15
    assert mass.log_evidence_gain > 10 + max((control.log_evidence_gain for control in found.controls), default=0)
    beside, control = found.mass_beside_control, found.control_beside_mass
    assert np.hypot(beside.y - place[0], beside.x - place[1]) < 0.15
    assert beside.area > 0
    assert beside.log_evidence_gain > 10
    assert control is None or (control.area < 0 and control.log_evidence_gain < 5)
    assert control is None or len(control.fit.parameters) == len(mass.fit.parameters) + 3  # the fit has both
    assert found.scan.largest > 3


def test_twins_have_the_image_and_the_noise_of_their_lens(smooth):
    pixels, found = smooth
    maker = TwinMaker(pixels, found.lens)
    source, light = noise_free(Lens())
    inside = pixels.within(1.3)
    assert ((maker.smooth - source - light) / pixels.sigma)[inside].std() < 0.4
    twin = maker.draw(np.random.default_rng(1))
    z = ((twin.image - maker.smooth) / pixels.sigma)[inside]
    assert z.var() == pytest.approx(pixels.noise.variance, rel=0.2)


def test_the_mass_of_a_planted_halo_is_measured(smooth):
    """It is larger than where fits begin, so its size must follow from its mass."""
    pixels, found = smooth
    mass = Planted(0.05, 0.55, -0.75, float(found.fit.parameters[0]))
    twin = TwinMaker(pixels, found.lens).draw(np.random.default_rng(2), mass.part())
    best = fit_frame(twin, 1.9, controls=0).masses[0]
    assert np.hypot(best.y - mass.y, best.x - mass.x) < 0.05
    assert best.area == pytest.approx(mass.area, rel=0.25)
    assert abs(best.area - mass.area) < 3 * best.area_sigma
    tidal = PseudoJaffe.tidal(best.area, mass.einstein_radius)
    assert best.profile.truncation_arcsec == pytest.approx(tidal.truncation_arcsec, rel=0.02)


def test_simulated_noise_has_the_measured_correlation():
    noise = frame(Lens()).noise
    drawn = correlated_noise((400, 300), noise, np.random.default_rng(1))
    assert drawn.var() == pytest.approx(noise.variance, rel=0.05)
    beside = (drawn[:, 1:] * drawn[:, :-1]).mean() / drawn.var()
    assert beside == pytest.approx(noise.correlation[2, 3], abs=0.03)


def test_an_error_of_the_psf_changes_an_image_as_a_wider_psf_does():
    along = np.arange(-20, 21)
    squared = along[:, None] ** 2 + along**2

    def gaussian(width):
        return np.exp(-squared / (2 * width**2)) / (2 * np.pi * width**2)

    pixels = frame(Lens(), pixels=41)
    variance = 1 / (2 * np.pi * pixels.psf.max())
    source, error = 4.0, 0.03
    before, after = (gaussian(np.sqrt(source**2 + variance * (1 + e) ** 2)) for e in (0.0, error))
    change = wider_psf(pixels, before, error) - before
    np.testing.assert_allclose(change, after - before, atol=0.08 * np.abs(after - before).max())


@pytest.mark.parametrize("what", ["star", "galaxy"])
def test_what_is_no_lens_is_refused(what):
    lens = frame(Lens())
    y, x = np.indices(lens.image.shape) - 40.0
    galaxy = 8 * np.exp(-3.3 * np.sqrt(np.hypot(x, y / 0.7) / 10))
    star = np.exp(-(x**2 + y**2) / (2 * 0.9**2)) * 50
    image = star if what == "star" else galaxy
    sigma = np.sqrt(1 + image) / 25
    noise = correlated_noise(image.shape, lens.noise, np.random.default_rng(3)) * sigma
    with pytest.raises(ValueError, match="no lens explains"):
        fit_frame(replace(lens, image=image + noise, sigma=sigma), 1.3)
