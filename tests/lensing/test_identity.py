"""An image is a function of its name: seed, data set, pool, class and index."""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from oddlens.config.merging import merged
from oddlens.config.presets import preset_simulation
from oddlens.data import shards
from oddlens.data.randomness import stream
from oddlens.lensing import render, scene, substructure_classes
from oddlens.lensing.simulated_images import simulate_images
from oddlens.lensing.substructure import cdm, vortex
from oddlens.stages import simulate as simulating

SMALL = {"camera": {"pixels": 16, "pixel_scale_arcsec": 0.4, "psf": {"pixels": 5}}}
SIMULATION = preset_simulation("model_a", "subhalo", "line_of_sight", above=SMALL)
# Model C with all the rest varied, too.
VARIED = {
    "lens": {"mass_msun": {"loguniform": [1e11, 1e12]}, "shear": {"magnitude": {"uniform": [0, 0.3]}}},
    "source": {"intensity_per_arcsec2": {"uniform": [5, 20]}},
    "camera": {
        "psf": {"fwhm_arcsec": {"uniform": [0.5, 1]}},
        "zero_point_mag": {"normal": [25, 0.1]},
        "exposure_s": {"uniform": [500, 2000]},
        "sky_per_arcsec2": {"uniform": [1, 2]},
        "read_noise_electrons": {"uniform": [0, 5]},
        "noise_correlation_pixels": {"uniform": [0, 1]},
    },
}
DIVERSE = preset_simulation("model_c", above=VARIED)
CLASSES = substructure_classes.names()
ANOMALIES = list(SIMULATION.substructure)
NAME = {"seed": 3, "dataset": "one", "pool": "train", "cls": "smooth"}
OTHER_NAMES = [{"seed": 4}, {"dataset": "two"}, {"pool": "validation"}, {"pool": "contaminant", "cls": "vortex"}]


@pytest.fixture(scope="module", autouse=True)
def _small_batches():
    """A shard fills its last batch up, and these have six images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulating, "MAX_BATCH_IMAGES", 8)
        yield


def simulated(cls, first, count, pool="test"):
    return simulating.simulate(SIMULATION, seed=3, dataset="one", pool=pool, cls=cls, first=first, count=count).arrays


shard = cache(simulated)


def truth_of(cls):
    return {name: column for name, column in shard(cls, 0, 6).items() if name.startswith("truth/")}


def sampled(indices=range(200), **changes):
    return scene.draw_scenes(SIMULATION, **(NAME | changes), indices=np.asarray(indices))


def same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize("cls", CLASSES)
def test_an_image_is_the_same_in_any_shard(cls):
    whole, part = shard(cls, 0, 6), simulated(cls, 4, 2)
    same({name: array if name == "psf" else array[4:6] for name, array in whole.items()}, part)


def test_an_image_is_the_same_in_any_batch(monkeypatch):
    whole = shard("cdm", 0, 6)
    monkeypatch.setattr(simulating, "MAX_BATCH_IMAGES", 4)
    same(whole, simulated("cdm", 0, 6))


def test_a_shard_made_twice_is_the_same():
    same(shard("vortex", 0, 6), simulated("vortex", 0, 6))


@pytest.mark.parametrize("cls", CLASSES)
def test_scenes_are_the_same_in_any_order(cls):
    order = [5, 0, 3, 1, 4, 2]
    ordered, shuffled = (sampled(indices, pool="test", cls=cls) for indices in (range(6), order))
    for part in ("lens", "substructure", "truth"):
        same({name: column[order] for name, column in getattr(ordered, part).items()}, getattr(shuffled, part))


def test_renderings_are_the_same_in_any_order():
    order = [5, 0, 3, 1, 4, 2]
    rendered = render.renderer(SIMULATION.camera, "cdm")
    ordered, shuffled = (rendered(sampled(indices, pool="test", cls="cdm")) for indices in (range(6), order))
    same({name: array[order] for name, array in ordered.items()}, shuffled)


def test_images_of_a_shard_are_all_different():
    images = shard("smooth", 0, 6)["images"]
    assert len(np.unique(images, axis=0)) == 6


@pytest.mark.parametrize("changes", OTHER_NAMES, ids=str)
def test_another_name_is_another_lens(changes):
    angle, other = (sampled(**name).lens["source_angle_deg"] for name in ({}, changes))
    assert not set(angle) & set(other)
    assert abs(np.corrcoef(angle, other)[0, 1]) < 4 / np.sqrt(len(angle))


@pytest.mark.parametrize("changes", [*OTHER_NAMES, {"index": 8}], ids=str)
def test_another_name_is_another_noise(changes):
    noise, other = (scene.noise_stream(**(NAME | {"index": 7} | name)).random(100) for name in ({}, changes))
    assert not set(noise) & set(other)


@pytest.mark.parametrize("changes", [{"seed": 4}, {"dataset": "two"}, {"pool": "contaminant"}], ids=str)
@pytest.mark.parametrize("cls", ANOMALIES)
def test_another_name_is_another_substructure(cls, changes):
    test = {"pool": "test", "cls": cls}
    one, other = (sampled(**(test | name)).truth["substructure_mass_msun"] for name in ({}, changes))
    assert not set(one) & set(other)


def test_noise_is_not_the_numbers_that_drew_the_lens():
    lens = stream(3, "simulate", "one", "train", "smooth", "lens", 7).random(100)
    assert not set(lens) & set(scene.noise_stream(**NAME, index=7).random(100))


@pytest.mark.parametrize("cls", ANOMALIES)
def test_contaminants_share_no_lens_with_any_other_pool(cls):
    contaminant = sampled(pool="contaminant", cls=cls).lens["source_angle_deg"]
    for name in ({}, {"pool": "validation"}, {"pool": "test"}, {"pool": "test", "cls": cls}):
        assert not set(contaminant) & set(sampled(**name).lens["source_angle_deg"])


@pytest.mark.parametrize("cls", ANOMALIES)
def test_twins_share_their_lens(cls):
    one, other = (dict(sampled(pool="test", cls=c).lens) for c in ("smooth", cls))
    halo, thinner = one.pop("halo_einstein_radius_arcsec"), other.pop("halo_einstein_radius_arcsec")
    same(one, other)
    assert np.all(thinner <= halo)
    assert not np.array_equal(thinner, halo)


@pytest.mark.parametrize("cls", ANOMALIES)
def test_twins_share_their_noise_stream(cls):
    one, other = (scene.noise_stream(3, "one", "test", c, 7).random(100) for c in ("smooth", cls))
    np.testing.assert_array_equal(one, other)


def test_twins_differ_in_their_images():
    assert not np.array_equal(shard("smooth", 0, 6)["images"], shard("vortex", 0, 6)["images"])


def test_anomalies_outside_the_test_pool_are_no_twins():
    one, other = (sampled(pool="contaminant", cls=c).lens["source_angle_deg"] for c in ("cdm", "vortex"))
    assert not set(one) & set(other)


@pytest.mark.parametrize("cls", CLASSES)
def test_the_truth_table_is_finite(cls):
    assert all(np.isfinite(column).all() for column in truth_of(cls).values())


def test_every_class_has_the_truth_of_a_smooth_lens():
    for cls in ANOMALIES:
        assert truth_of("smooth").keys() <= truth_of(cls).keys()
        assert {"truth/substructure_mass_msun", "truth/heaviest_mass_msun"} <= truth_of(cls).keys()


def test_shards_of_several_classes_are_read_as_one_with_zero_for_what_a_class_lacks(tmp_path):
    paths = [tmp_path / f"{cls}.h5" for cls in ("smooth", "vortex")]
    for path, cls in zip(paths, ("smooth", "vortex"), strict=True):
        images = simulating.simulate(SIMULATION, seed=3, dataset="one", pool="test", cls=cls, first=0, count=6)
        shards.write(path, images)
    both = shards.read_all(paths, tmp_path)
    length = both.table["vortex_length_arcsec"]
    assert np.all(length[:6] == 0)
    np.testing.assert_array_equal(length[6:], shard("vortex", 0, 6)["truth/vortex_length_arcsec"])
    assert list(both.table["class"]) == ["smooth"] * 6 + ["vortex"] * 6
    assert both.images.shape == both.pixels["noise_free"].shape == both.pixels["sigma"].shape == (12, 16, 16)


def test_a_shard_records_how_far_it_lies_from_pyautolens(tmp_path):
    path = tmp_path / "shard.h5"
    shards.write(path, simulating.simulate(SIMULATION, seed=3, dataset="one", pool="test", cls="cdm", first=0, count=2))
    assert 0 < shards.read(path).attributes["pyautolens_disagreement_sigma"] < 0.25


def test_a_shard_whose_first_image_pyautolens_disowns_is_not_made(monkeypatch):
    renderer = render.renderer

    def brighter(camera, cls):
        rendered = renderer(camera, cls)
        return lambda scenes: {name: 1.05 * array for name, array in rendered(scenes).items()}

    monkeypatch.setattr(render, "renderer", brighter)
    with pytest.raises(ArithmeticError, match="image 0 differs"):
        simulated("smooth", 0, 2)


def test_a_shard_states_how_many_rays_its_images_took():
    rays = shard("cdm", 0, 6)["truth/rays_per_pixel"]
    assert np.all(rays >= SIMULATION.camera.over_sampling**2)
    assert len(set(rays)) == 6


def simulated_images(simulation, cls, count=3):
    camera = simulation.camera.model_copy(update={"error_sigma": None})
    simulation = simulation.model_copy(update={"camera": camera})
    rendered = render.renderer(camera, cls)
    return simulate_images(simulation, rendered, 3, "one", "test", cls, np.arange(count))


def test_without_noise_an_image_is_what_the_camera_sees():
    simulation = preset_simulation("model_c", above=merged(SMALL, {"camera": {"noise": "none"}}))
    images = simulated_images(simulation, "smooth")
    np.testing.assert_array_equal(images.images, images.noise_free)
    np.testing.assert_array_equal(images.noise_free, images.rendered["image"] - images.rendered["subtracted"])


def test_subtraction_takes_the_model_of_the_light_away_and_leaves_its_noise():
    """Twins of subtraction: the same noise, whether or not the lens galaxy's light is subtracted."""
    none = {"lens": {"light": {"subtraction": None}}}
    subtracted = simulated_images(preset_simulation("model_c", above=SMALL), "smooth")
    left = simulated_images(preset_simulation("model_c", above=SMALL | none), "smooth")
    model = subtracted.rendered["subtracted"]
    assert model.max() > 1
    np.testing.assert_allclose(left.images - subtracted.images, model, atol=1e-4 * model.max())
    np.testing.assert_allclose(subtracted.sigma, left.sigma, rtol=1e-5)
    dark = simulated_images(preset_simulation("model_c", above=SMALL | {"lens": {"light": None}}), "smooth")
    assert np.all(subtracted.sigma > dark.sigma)
    centre = np.s_[:, 7:9, 7:9]
    assert np.all(subtracted.sigma[centre] > 1.5 * dark.sigma[centre])


def test_a_model_of_the_light_that_fits_leaves_the_arcs_alone():
    exact = {"lens": {"light": {"subtraction": {"intensity_ratio": 1, "radius_ratio": 1}}}}
    subtracted = simulated_images(preset_simulation("model_c", above=SMALL | exact), "smooth")
    dark = simulated_images(preset_simulation("model_c", above=SMALL | {"lens": {"light": None}}), "smooth")
    np.testing.assert_allclose(subtracted.noise_free, dark.noise_free, atol=1e-5 * subtracted.rendered["image"].max())


def priors_by_column(simulation):
    """The priors of lens, source and camera under the names of the columns drawn from them."""
    return {name: prior for _, group in scene.priors(simulation) for name, prior in group.items()}


def test_every_prior_of_the_world_has_a_column():
    def count(section):
        return sum(count(value) if isinstance(value, dict) and len(value) > 1 else 1 for value in section.values())

    given = DIVERSE.plain()
    lens = {key: value for key, value in given["lens"].items() if key != "conserve_mass" and value is not None}
    source = {key: value for key, value in given["source"].items() if key not in ("clumps", "images")}
    camera = given["camera"]
    plain = ("pixels", "pixel_scale_arcsec", "over_sampling", "error_sigma", "noise", "psf")
    named = {key for key, value in camera.items() if key not in plain and value is not None} | {"psf_fwhm_arcsec"}
    assert len(priors_by_column(DIVERSE)) == count(lens) + count(source) + len(named)


def assert_from(prior, values):
    low, high = prior.support()
    assert np.all((values >= low - 1e-9 * abs(low)) & (values <= high + 1e-9 * abs(high)))
    if prior.kind != "fixed":
        expected = prior.quantile((np.arange(5000) + 0.5) / 5000)
        assert stats.ks_2samp(values, expected).pvalue > 1e-4


@pytest.mark.parametrize("name", priors_by_column(DIVERSE))
def test_lenses_follow_their_priors(name):
    columns = scene.draw_scenes(DIVERSE, **NAME, indices=np.arange(500)).lens
    assert_from(priors_by_column(DIVERSE)[name], columns[name])


def assert_independent(columns):
    correlation = np.corrcoef(columns)[np.triu_indices(len(columns), 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(len(columns[0]))


def test_lens_parameters_are_drawn_independently():
    columns = scene.draw_scenes(DIVERSE, **NAME, indices=np.arange(500)).lens
    assert_independent([columns[name] for name in priors_by_column(DIVERSE)])


@pytest.mark.parametrize("cls", ANOMALIES)
def test_substructure_parameters_are_drawn_independently(cls):
    scenes = sampled(range(500), pool="test", cls=cls)
    # of a halo on the line of sight, what does not follow from its mass and redshift
    derived = ("concentration", "area", "area_per_msun", "scale_arcsec", "coupling_behind", "coupling_in_front")
    numbers = [c for name, c in scenes.substructure.items() if cls != "line_of_sight" or not name.endswith(derived)]
    # of a population, the ten slots that nearly every lens fills
    columns = [column if column.ndim == 1 else column[:, k] for column in numbers for k in range(10)]
    varied = {column.tobytes(): column for column in columns if column.std() > 0}
    assert_independent([*varied.values(), scenes.lens["source_angle_deg"], scenes.lens["shear_angle_deg"]])


@pytest.mark.parametrize("name", ["x_arcsec", "y_arcsec", "length_arcsec", "angle_deg", "mass_fraction"])
def test_vortices_follow_their_priors(name):
    scenes = sampled(range(500), pool="test", cls="vortex")
    columns = scenes.substructure | {"vortex_mass_fraction": scenes.substructure["vortex_area"] / scenes.lens["area"]}
    prior = vortex.Priors.model_validate(SIMULATION.substructure["vortex"])
    assert_from(getattr(prior, name), columns[f"vortex_{name}"])


def test_subhaloes_follow_their_priors():
    scenes = sampled(range(500), pool="test", cls="cdm")
    priors, sub = cdm.Priors.model_validate(SIMULATION.substructure["cdm"]), scenes.substructure
    there = sub["subhalo_area"] > 0
    x, y = sub["subhalo_x_arcsec"][there], sub["subhalo_y_arcsec"][there]
    assert_from(priors.number, there.sum(axis=1))
    assert_from(priors.radius_arcsec, np.hypot(x, y))
    assert_from(priors.angle_deg, np.rad2deg(np.arctan2(y, x)) % 360)
    assert_from(priors.mass_msun, (sub["subhalo_area"] / scenes.lens["area_per_msun"][:, None])[there])
