"""Evidence: nested sampling against closed forms, and the fitted models against the simulator."""

import numpy as np
import pytest
from scipy import special

from oddlens.config.presets import preset_simulation
from oddlens.lensing import evidence
from oddlens.lensing.evidence import LensFamily, MassPrior, ModelFit, Posterior, SoftenedPointMass, nested_sampling
from oddlens.lensing.reference import al
from oddlens.stages.follow_up import observe
from simple_lenses import SEED, simple_shards, simple_simulation


@pytest.fixture(scope="module")
def simulation():
    return simple_simulation()


@pytest.fixture(scope="module")
def twins(simulation):
    return simple_shards(simulation)


# --- evidences -------------------------------------------------------------------------------------------------------


def gaussian(points, sigma=0.1):
    return -0.5 * np.sum((points - 0.3) ** 2, axis=1) / sigma**2


def test_the_evidence_of_a_normal_likelihood_is_its_closed_form():
    found = nested_sampling(gaussian, lambda cube: 10 * cube - 5, 4, live=200, seed=1)
    assert found.error < 0.05
    assert abs(found.log_evidence - 4 * np.log(0.1 * np.sqrt(2 * np.pi) / 10)) < 4 * found.error
    assert found.quantiles(2) == pytest.approx(np.array([0.2, 0.3, 0.4]), abs=0.02)
    assert found.best == pytest.approx(np.full(4, 0.3), abs=0.1)


def test_a_parameter_that_changes_nothing_costs_nothing_and_one_that_is_known_the_occam_factor():
    """Half a normal prior of deviation 1 for a strength that the data say is 0 within 0.1."""
    prior = lambda cube: np.column_stack([cube[:, 0], special.ndtri(0.5 + cube[:, 1] / 2)])  # noqa: E731
    found = nested_sampling(lambda p: -0.5 * (p[:, 1] / 0.1) ** 2, prior, 2, live=200, seed=1)
    assert abs(found.log_evidence + 0.5 * np.log(1 + 1 / 0.1**2)) < 4 * found.error


def test_equal_seeds_give_equal_evidences():
    one, same, other = (nested_sampling(gaussian, lambda cube: 2 * cube - 1, 2, live=100, seed=s) for s in (1, 1, 2))
    assert one.log_evidence == same.log_evidence != other.log_evidence
    assert np.array_equal(one.points, same.points)


# --- models ----------------------------------------------------------------------------------------------------------


def test_the_mass_is_a_point_of_pyautolens_far_from_it():
    grid = al.Grid2DIrregular([(1.3, -0.4), (-0.7, 2.0), (0.1, 0.2)])
    ours = SoftenedPointMass(y=0.4, x=-0.3, area=0.04, softening=1e-9).deflections_yx_2d_from(grid)
    theirs = al.mp.PointMass(centre=(0.4, -0.3), einstein_radius=0.2).deflections_yx_2d_from(grid)
    assert np.asarray(ours.array) == pytest.approx(np.asarray(theirs.array), rel=1e-9)


def test_models_have_the_parameters_of_their_simulation(simulation):
    family = LensFamily(simulation, MassPrior(), SEED)
    assert family.model(with_mass=False).prior_count == 9
    assert family.model(with_mass=True).prior_count == 12
    without = {"lens": {"multipole_3": None, "multipole_4": None, "light": None}, "source": {"clumps": None}}
    free = preset_simulation("model_c", above={**without, "camera": {"noise_correlation_pixels": None}})
    assert LensFamily(free, MassPrior(), SEED).model(with_mass=False).prior_count == 12


def test_a_world_beyond_the_models_is_refused():
    with pytest.raises(ValueError, match=r"lens\.multipole_3, .*source\.clumps.*which the fitted lens models lack"):
        LensFamily(preset_simulation("model_c"), MassPrior(), SEED)


def test_priors_are_wider_than_what_was_drawn_and_leave_room_where_the_world_is_fixed(simulation):
    galaxies = LensFamily(simulation, MassPrior(), SEED).model(with_mass=True).galaxies
    radius, gamma = galaxies.lens.halo.einstein_radius, galaxies.lens.shear.gamma_1
    assert radius.sigma == pytest.approx(evidence.PRIOR_WIDTH_FACTOR * evidence.MIN_SCATTER * radius.mean)
    assert gamma.sigma == pytest.approx(evidence.PRIOR_WIDTH_FACTOR * evidence.MIN_SCATTER)
    gamma = (
        LensFamily(preset_simulation("model_a"), MassPrior(), SEED).model(with_mass=False).galaxies.lens.shear.gamma_1
    )
    assert gamma.sigma == pytest.approx(
        evidence.PRIOR_WIDTH_FACTOR * 0.3 / np.sqrt(6), rel=0.1
    )  # magnitude to 0.3, any angle
    assert (galaxies.lens.mass.y.lower_limit, galaxies.lens.mass.y.upper_limit) == (-2.4, 2.4)


@pytest.mark.parametrize("cls", ["smooth", "subhalo"])
def test_the_models_draw_what_the_simulator_drew(simulation, twins, cls):
    """At the true parameters: orientation, units, point-spread function and rays are those of the images."""
    shard, family = twins[cls], LensFamily(simulation, MassPrior(), SEED)
    observed, q = observe(shard, 1), {name: float(v) for name, v in shard.one("truth", 1).items()}
    shear, offset = 2 * np.deg2rad(q["shear_angle_deg"]), np.deg2rad(q["source_offset_angle_deg"])
    f, turn = (1 - q["source_axis_ratio"]) / (1 + q["source_axis_ratio"]), 2 * np.deg2rad(q["source_angle_deg"])
    true = {
        "einstein_radius": q["halo_einstein_radius_arcsec"],
        "gamma_1": q["shear_magnitude"] * np.cos(shear),
        "gamma_2": q["shear_magnitude"] * np.sin(shear),
        "centre_0": q["source_offset_arcsec"] * np.sin(offset),
        "centre_1": q["source_offset_arcsec"] * np.cos(offset),
        "ell_comps_0": f * np.sin(turn),
        "ell_comps_1": f * np.cos(turn),
        "intensity": q["source_intensity_per_arcsec2"],
        "effective_radius": q["source_effective_radius_arcsec"],
        "y": q.get("heaviest_y_arcsec"),
        "x": q.get("heaviest_x_arcsec"),
        "area": q.get("heaviest_mass_msun", 0) * q["area_per_msun"],
    }
    model = family.model(with_mass=cls != "smooth")
    point = np.array([[true[path[-1]] for path in model.paths]])
    fit = ModelFit(model, evidence.analysis(observed), Posterior(0, 0, 0, point, np.ones(1), np.zeros(1)))
    unit = 10 ** (0.4 * (q["zero_point_mag"] - 25)) * observed.pixel_scale_arcsec**2
    off = (fit.image - shard.arrays["noise_free"][1] / unit) / observed.sigma
    # A subhalo is no softened point: what they differ by is far below what leaving it out would change.
    assert np.abs(off).max() < (0.3 if cls == "smooth" else 3.0)
    assert fit.quantiles("shear", "gamma_1") == pytest.approx(np.full(3, true["gamma_1"]))
