"""An image is a function of its name: seed, data set, pool, class and index."""

from functools import cache

import numpy as np
import pytest
import yaml
from scipy import stats

from oddlens.lensing import render, scene, substructure
from oddlens.lensing import simulate as simulation
from oddlens.lensing.substructure import cdm, vortex
from oddlens.lensing.world import World
from oddlens.priors import Distribution
from oddlens.randomness import stream
from oddlens.settings import PRESETS, merged

SMALL = {"camera": {"pixels": 16, "pixel_scale_arcsec": 0.4, "psf": {"pixels": 5}}}
PRESET = {name: yaml.safe_load((PRESETS / f"{name}.yaml").read_text()) for name in ("model_a", "model_b")}
WORLD = World.model_validate(merged(PRESET["model_a"], SMALL))
# Model B with all the rest varied, too.
VARIED = {
    "lens": {"mass_msun": {"loguniform": [1e11, 1e12]}},
    "source": {"sersic_index": {"uniform": [1, 4]}, "intensity_per_arcsec2": {"uniform": [5, 20]}},
    "camera": {"exposure_s": {"uniform": [500, 2000]}, "sky_per_arcsec2": {"uniform": [1, 2]}},
}
DIVERSE = World.model_validate(merged(merged(PRESET["model_a"], PRESET["model_b"] | {"preset": None}), VARIED))
CLASSES = substructure.names()
ANOMALIES = list(WORLD.substructure)
NAME = {"seed": 3, "dataset": "one", "pool": "train", "cls": "smooth"}
OTHER_NAMES = [{"seed": 4}, {"dataset": "two"}, {"pool": "validation"}, {"pool": "contaminant", "cls": "vortex"}]


def simulated(cls, first, count, pool="test"):
    return simulation.simulate(WORLD, seed=3, dataset="one", pool=pool, cls=cls, first=first, count=count).arrays


shard = cache(simulated)


def truth_of(cls):
    return {name: column for name, column in shard(cls, 0, 6).items() if name.startswith("truth/")}


def drawn(indices=range(200), **changes):
    return scene.draw(WORLD, **(NAME | changes), indices=np.asarray(indices))


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
    monkeypatch.setattr(simulation, "BATCH", 4)
    same(whole, simulated("cdm", 0, 6))


def test_a_shard_made_twice_is_the_same():
    same(shard("vortex", 0, 6), simulated("vortex", 0, 6))


@pytest.mark.parametrize("cls", CLASSES)
def test_scenes_are_the_same_in_any_order(cls):
    order = [5, 0, 3, 1, 4, 2]
    ordered, shuffled = (drawn(indices, pool="test", cls=cls) for indices in (range(6), order))
    for part in ("lens", "substructure", "truth"):
        same({name: column[order] for name, column in getattr(ordered, part).items()}, getattr(shuffled, part))


def test_renderings_are_the_same_in_any_order():
    order = [5, 0, 3, 1, 4, 2]
    rendered = render.renderer(WORLD.camera, "cdm")
    ordered, shuffled = (rendered(drawn(indices, pool="test", cls="cdm")) for indices in (range(6), order))
    np.testing.assert_array_equal(ordered[order], shuffled)


def test_images_of_a_shard_are_all_different():
    images = shard("smooth", 0, 6)["images"]
    assert len(np.unique(images, axis=0)) == 6


@pytest.mark.parametrize("changes", OTHER_NAMES, ids=str)
def test_another_name_is_another_lens(changes):
    angle, other = (drawn(**name).lens["source_angle_deg"] for name in ({}, changes))
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
    one, other = (drawn(**(test | name)).truth["substructure_mass_msun"] for name in ({}, changes))
    assert not set(one) & set(other)


def test_noise_is_not_the_numbers_that_drew_the_lens():
    lens = stream(3, "simulate", "one", "train", "smooth", "lens", 7).random(100)
    assert not set(lens) & set(scene.noise_stream(**NAME, index=7).random(100))


@pytest.mark.parametrize("cls", ANOMALIES)
def test_contaminants_share_no_lens_with_any_other_pool(cls):
    contaminant = drawn(pool="contaminant", cls=cls).lens["source_angle_deg"]
    for name in ({}, {"pool": "validation"}, {"pool": "test"}, {"pool": "test", "cls": cls}):
        assert not set(contaminant) & set(drawn(**name).lens["source_angle_deg"])


@pytest.mark.parametrize("cls", ANOMALIES)
def test_twins_share_their_lens(cls):
    one, other = (dict(drawn(pool="test", cls=c).lens) for c in ("smooth", cls))
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
    one, other = (drawn(pool="contaminant", cls=c).lens["source_angle_deg"] for c in ("cdm", "vortex"))
    assert not set(one) & set(other)


@pytest.mark.parametrize("cls", CLASSES)
def test_the_truth_table_is_finite(cls):
    assert all(np.isfinite(column).all() for column in truth_of(cls).values())


@pytest.mark.parametrize("cls", ANOMALIES)
def test_truth_tables_have_the_same_columns_for_every_class(cls):
    assert truth_of(cls).keys() == truth_of("smooth").keys()


def priors_by_column(world):
    """The priors of lens, source and camera under the names of the columns drawn from them."""
    sections = {"lens_": world.lens, "shear_": world.lens.shear, "source_": world.source, "": world.camera}
    fields = [(prefix + name, getattr(s, name)) for prefix, s in sections.items() for name in type(s).model_fields]
    return {name: value for name, value in fields if isinstance(value, Distribution)}


def assert_from(prior, values):
    low, high = prior.support()
    assert np.all((values >= low - 1e-9 * abs(low)) & (values <= high + 1e-9 * abs(high)))
    if prior.kind != "fixed":
        expected = prior.quantile((np.arange(5000) + 0.5) / 5000)
        assert stats.ks_2samp(values, expected).pvalue > 1e-4


@pytest.mark.parametrize("name", priors_by_column(DIVERSE))
def test_lenses_follow_their_priors(name):
    columns = scene.draw(DIVERSE, **NAME, indices=np.arange(500)).lens
    assert_from(priors_by_column(DIVERSE)[name], columns[name])


def assert_independent(columns):
    correlation = np.corrcoef(columns)[np.triu_indices(len(columns), 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(len(columns[0]))


def test_lens_parameters_are_drawn_independently():
    columns = scene.draw(DIVERSE, **NAME, indices=np.arange(500)).lens
    assert_independent([columns[name] for name in priors_by_column(DIVERSE)])


@pytest.mark.parametrize("cls", ANOMALIES)
def test_substructure_parameters_are_drawn_independently(cls):
    scenes = drawn(range(500), pool="test", cls=cls)
    # of a population, the ten slots that nearly every lens fills
    columns = [
        column if column.ndim == 1 else column[:, k] for column in scenes.substructure.values() for k in range(10)
    ]
    varied = {column.tobytes(): column for column in columns if column.std() > 0}
    assert_independent([*varied.values(), scenes.lens["source_angle_deg"], scenes.lens["shear_angle_deg"]])


@pytest.mark.parametrize("name", ["x_arcsec", "y_arcsec", "length_arcsec", "angle_deg", "mass_fraction"])
def test_vortices_follow_their_priors(name):
    scenes = drawn(range(500), pool="test", cls="vortex")
    columns = scenes.substructure | {"vortex_mass_fraction": scenes.substructure["vortex_area"] / scenes.lens["area"]}
    prior = vortex.Priors.model_validate(WORLD.substructure["vortex"])
    assert_from(getattr(prior, name), columns[f"vortex_{name}"])


def test_subhaloes_follow_their_priors():
    scenes = drawn(range(500), pool="test", cls="cdm")
    priors, sub = cdm.Priors.model_validate(WORLD.substructure["cdm"]), scenes.substructure
    there = sub["subhalo_area"] > 0
    x, y = sub["subhalo_x_arcsec"][there], sub["subhalo_y_arcsec"][there]
    assert_from(priors.number, there.sum(axis=1))
    assert_from(priors.radius_arcsec, np.hypot(x, y))
    assert_from(priors.angle_deg, np.rad2deg(np.arctan2(y, x)) % 360)
    assert_from(priors.mass_msun, (sub["subhalo_area"] / scenes.lens["area_per_msun"][:, None])[there])
