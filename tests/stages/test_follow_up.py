"""The closer look at the oddest images: evidences against closed forms, the models against the simulator, and lenses
whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

from oddlens.config.presets import preset_simulation
from oddlens.config.study import parse_study
from oddlens.data import shards
from oddlens.files.artefacts import write_table
from oddlens.lensing import evidence
from oddlens.lensing.evidence import LensFamily, MassPrior, ModelFit, Posterior, SoftenedPointMass, nested_sampling
from oddlens.lensing.reference import al
from oddlens.results.tables.follow_up import COLUMNS
from oddlens.schema.config_errors import ConfigError
from oddlens.stages.follow_up import follow_up, observation
from oddlens.stages.simulate import simulate

SMALL = {
    "camera": {"pixels": 20, "pixel_scale_arcsec": 0.3, "psf": {"pixels": 9}},
    "lens": {"shear": {"magnitude": {"uniform": [0.04, 0.06]}, "angle_deg": {"uniform": [20, 30]}}},
    "source": {
        "offset_arcsec": {"uniform": [0.08, 0.12]},
        "offset_angle_deg": {"uniform": [200, 220]},
        "axis_ratio": {"uniform": [0.6, 0.7]},
        "angle_deg": {"uniform": [60, 70]},
        "effective_radius_arcsec": {"uniform": [0.45, 0.55]},
    },
    "substructure": {
        "cdm": None,
        "vortex": None,
        "subhalo": {
            "radius_arcsec": 1.7,
            "angle_deg": {"uniform": [0, 360]},
            "mass_msun": 1e10,
            "truncation_arcsec": 0.2,
        },
    },
}
"""Lenses that differ little, so that little is to be explored."""
SEED = 3


@pytest.fixture(scope="module")
def simulation():
    return preset_simulation("model_a", above=SMALL)


@pytest.fixture(scope="module")
def test_shards(simulation):
    return {
        cls: simulate(simulation.only(cls), seed=SEED, dataset="model_a", pool="test", cls=cls, first=0, count=2)
        for cls in ("smooth", "subhalo")
    }


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
    gamma = LensFamily(preset_simulation("model_a"), MassPrior(), SEED).model(with_mass=False).galaxies.lens.shear.gamma_1
    assert gamma.sigma == pytest.approx(evidence.PRIOR_WIDTH_FACTOR * 0.3 / np.sqrt(6), rel=0.1)  # magnitude to 0.3, any angle
    assert (galaxies.lens.mass.y.lower_limit, galaxies.lens.mass.y.upper_limit) == (-2.4, 2.4)


@pytest.mark.parametrize("cls", ["smooth", "subhalo"])
def test_the_models_draw_what_the_simulator_drew(simulation, test_shards, cls):
    """At the true parameters: orientation, units, point-spread function and rays are those of the images."""
    shard, family = test_shards[cls], LensFamily(simulation, MassPrior(), SEED)
    observed, q = observation(shard, 1), {name: float(v) for name, v in shard.one("truth", 1).items()}
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


# --- the stage -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def looked_at(test_shards, tmp_path_factory):
    """A lens with a heavy subhalo and its smooth twin, as the oddest images of a row."""
    folder = tmp_path_factory.mktemp("follow")
    paths = []
    for cls, shard in test_shards.items():
        paths.append(str(folder / cls / "000.h5"))
        shards.write(paths[-1], shard)
    named = {"dataset": "model_a", "detector": "fit", "pool": "test", "class": ["subhalo", "smooth"], "index": 1}
    named |= {
        "rank": [1, 2],
        "id": ["model_a/test/subhalo/1", "model_a/test/smooth/1"],
        "false_alarm_probability": 0.001,
    }
    oddest = pd.DataFrame(named)
    oddest.to_csv(folder / "most_anomalous.csv")
    found = oddest[["pool", "class", "index"]].assign(
        training_set="none-0", seed=1, odds=[90.0, -2.0], significance=9.0
    )
    found = found.assign(y_arcsec=0.1, x_arcsec=0.2, area_arcsec2=0.03)
    write_table(folder / "findings.csv", found, kind="findings")

    def at(rank):
        out = folder / "out" / str(rank)
        with pytest.MonkeyPatch.context() as quick:
            quick.setattr(evidence, "MIN_SCATTER", 0.02)
            quick.setattr(evidence, "EFFECTIVE", 300)
            follow_up(
                out / "1.csv",
                out / "1.png",
                most_anomalous_path=folder / "most_anomalous.csv",
                findings_path=folder / "findings.csv",
                shard_paths=paths,
                dataset="model_a",
                row="fit",
                rank=rank,
                live=100,
                mass={},
                seed=SEED,
            )
        assert sorted(path.name for path in out.iterdir()) == ["1.csv", "1.png"]
        return pd.read_csv(out / "1.csv")

    return at


def test_a_planted_subhalo_is_found_where_it_is_and_as_heavy_as_it_is(looked_at):
    line = looked_at(1).iloc[0]
    assert line["log_bayes"] > 20
    assert line["log_bayes_error"] < 0.2
    assert abs(line["true_mass_msun"] - 1e10) < 1e4
    assert np.hypot(line["y_arcsec"] - line["true_y_arcsec"], line["x_arcsec"] - line["true_x_arcsec"]) < 0.3
    assert 0.5 < line["mass_msun"] / line["true_mass_msun"] < 1.5
    assert line["chi_square_with_mass"] < line["chi_square_smooth"] - 30
    assert (line["scan_log_odds"], line["scan_y_arcsec"]) == (90.0, 0.1)


def test_a_smooth_lens_speaks_against_a_mass_by_no_more_than_the_occam_factor(looked_at):
    line = looked_at(2).iloc[0]
    assert -8 < line["log_bayes"] < 0
    assert abs(line["chi_square_with_mass"] - line["chi_square_smooth"]) < 10
    assert 0.7 < line["chi_square_smooth"] / line["pixels"] < 1.3
    assert np.isnan(line["true_mass_msun"])


def test_a_row_without_oddest_images_leaves_an_empty_table(looked_at):
    table = looked_at(3)
    assert list(table) == COLUMNS
    assert not len(table)


# --- config ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model_x": {"row": "lensfit"}}, "follow_up: unknown data set 'model_x'. Known: model_a, model_b"),
        ({"model_a": {"row": "lensfits"}}, "follow_up.model_a.row: unknown row 'lensfits'."),
        ({"model_a": {"row": "lensfit", "lenses": 21}}, "follow_up.model_a.lenses"),
        ({"model_a": {"row": "lensfit", "live": 10}}, "follow_up.model_a.live"),
        ({"model_a": {}}, "follow_up.model_a.row"),
    ],
)
def test_mistakes_are_told(config, given, said):
    with pytest.raises(ConfigError) as error:
        parse_study({**config, "follow_up": given})
    assert said in str(error.value)


def test_what_the_models_have_not_is_told_before_anything_runs(config):
    config["datasets"]["model_a"]["preset"] = "model_c"
    with pytest.raises(ConfigError, match=r"follow_up\.model_a: the data set has lens\.multipole_3, .* leave it out"):
        parse_study({**config, "follow_up": {"model_a": {"row": "lensfit"}}})


def test_nothing_is_followed_unless_it_is_asked_for(config):
    assert parse_study(config).follow_up == {}
