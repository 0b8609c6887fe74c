import numpy as np
import pytest

from oddlens.config.descriptions import class_descriptions
from oddlens.config.study import parse_study
from oddlens.data import shards
from oddlens.data.twins import Twins
from oddlens.detectors.evaluation.evaluation_set import EvaluationSet
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.stages.image import observation
from oddlens.stages.simulate import simulate
from refusals import refused

MULTIPOLE = {"of": "smooth", "lens": {"multipole_4": {"strength": 0.03, "angle_deg": 10}}}
TINY = {"pixels": 16, "pixel_scale_arcsec": 0.4, "error_sigma": None, "psf": {"pixels": 9}}


def with_variants(config, variants, **sections):
    """The study with one data set with these variants."""
    own = config["datasets"]["model_a"] | sections | {"variants": variants}
    return config | {"datasets": {"model_a": own}}


def dataset(config, variants, **sections):
    return parse_study(with_variants(config, variants, **sections)).datasets["model_a"]


def test_a_variant_is_a_test_class_of_another_simulation(config):
    heavy = {"of": "vortex", "substructure": {"vortex": {"mass_fraction": 0.1}}}
    made = dataset(config, {"heavy": heavy, "multipole": MULTIPOLE})
    assert made.anomalies == ["cdm", "vortex", "heavy"]
    assert made.decoys == ["multipole"]
    assert made.pools.classes("test") == ["smooth", "cdm", "vortex", "heavy", "multipole"]
    assert made.pools.classes("contaminant") == ["cdm", "vortex"]
    assert made.pools.classes("train") == made.pools.classes("validation") == ["smooth"]
    simulation = made.simulation_of("heavy")
    assert list(simulation.substructure) == ["vortex"]
    assert simulation.substructure["vortex"]["mass_fraction"] == 0.1
    assert simulation.substructure["vortex"]["length_arcsec"] == {"uniform": [0.5, 2]}
    assert simulation.lens == made.lens
    assert made.simulation_of("multipole").lens.multipole_4.strength.parameters == (0.03,)
    assert made.lens.multipole_4 is None
    assert [made.made_of(cls) for cls in ("cdm", "heavy", "multipole")] == ["cdm", "vortex", "smooth"]


def test_a_null_removes_what_the_data_set_has(config):
    round_lens = {"of": "smooth", "lens": {"ellipticity": None, "light": {"subtraction": None}}}
    made = dataset(config, {"round": round_lens}, preset="model_c")
    lens = made.simulation_of("round").lens
    assert lens.ellipticity is None
    assert lens.light is not None
    assert lens.light.subtraction is None
    assert made.lens.ellipticity is not None


def test_a_variant_may_bring_a_class_of_its_own(config):
    points = {"radius_arcsec": 1, "angle_deg": 0, "mass_msun": 1e10, "truncation_arcsec": 0.2}
    made = dataset(config, {"one": {"of": "subhalo", "substructure": {"subhalo": points}}})
    assert made.pools.classes("contaminant") == ["cdm", "vortex"]
    assert list(made.simulation_of("one").substructure) == ["subhalo"]


def test_the_twins_of_a_variant_have_its_lens(config):
    odd_lens = MULTIPOLE | {"of": "cdm"}
    made = dataset(config, {"multipole": MULTIPOLE, "odd": odd_lens, "heavy": {"of": "vortex"}})
    assert [made.twin_of(cls) for cls in ("cdm", "heavy", "multipole", "odd")] == [
        *("smooth", "smooth", "multipole", "multipole")
    ]
    message = refused(with_variants(config, {"odd": odd_lens}))
    assert message.startswith("datasets.model_a.variants.odd.")
    assert "add a variant of smooth" in message


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ({"of": "vortx"}, ["variants.x.of", "vortx", "Did you mean 'vortex'?"]),
        ({}, ["variants.x.of", "missing"]),
        ({"of": "smooth", "lense": {}}, ["variants.x.lense", "Did you mean 'lens'?"]),
        ({"of": "smooth", "lens": {"slop": 2}}, ["variants.x.lens.slop", "Did you mean 'slope'?"]),
        ({"of": "smooth", "lens": {"slope": 9}}, ["variants.x.lens.slope", "allowed is"]),
        ({"of": "smooth", "lens": {"shear": None}}, ["variants.x.lens.shear", "missing"]),
        ({"of": "smooth", "camera": {"pixels": 64}}, ["variants.x.camera.pixels", "64", "32"]),
        ({"of": "cdm", "substructure": {"cdm": {"mass_msun": -1}}}, ["variants.x.substructure.cdm.mass_msun"]),
    ],
)
def test_mistakes_in_variants_are_named(config, variant, words):
    message = refused(with_variants(config, {"x": variant}))
    assert all(word in message for word in words), message


@pytest.mark.parametrize("name", ["smooth", "cdm", "subhalo", "mixed", "all", "unlabelled", "none"])
def test_a_variant_is_not_called_as_a_class_is(config, name):
    assert f"variants.{name}" in refused(with_variants(config, {name: {"of": "smooth"}}))


def test_names_of_variants_are_parts_of_file_names(config):
    assert "variants.a/b" in refused(with_variants(config, {"a/b": {"of": "smooth"}}))


def test_variants_of_presets_are_merged_and_removed(config, tmp_path, monkeypatch):
    from oddlens.config import presets

    base = (presets.PRESETS / "model_a.yaml").read_text()
    (tmp_path / "model_a.yaml").write_text(base)
    (tmp_path / "two.yaml").write_text(
        "variants:\n  one: {of: smooth, lens: {slope: 2.2}}\n  other: {of: cdm, lens: {slope: null}}\n"
    )
    monkeypatch.setattr(presets, "PRESETS", tmp_path)
    mine = {"one": {"lens": {"slope": 1.8}}, "other": None}
    made = dataset(config, mine, preset=["model_a", "two"])
    assert list(made.variants) == ["one"]
    assert made.simulation_of("one").lens.slope.parameters == (1.8,)
    without = dataset(config, None, preset=["model_a", "two"])
    assert without.variants == {}


def test_descriptions_say_what_differs(config):
    heavy = {"of": "vortex", "substructure": {"vortex": {"mass_fraction": {"uniform": [0.1, 0.2]}}}}
    described = class_descriptions([dataset(config, {"multipole": MULTIPOLE, "heavy": heavy})])
    assert described["multipole"].startswith("Decoy")
    assert "lens.multipole_4.strength: 0.03" in described["multipole"]
    assert "substructure.vortex.mass_fraction: uniform [0.1, 0.2]" in described["heavy"]
    assert described.keys() == {"smooth", "cdm", "vortex", "heavy", "multipole"}


def simulated(dataset, cls, count=3, seed=7):
    variant = None
    if cls in dataset.variants:
        variant = shards.VariantClass(cls, dataset.twin_of(cls), cls in dataset.decoys)
    return simulate(
        dataset.simulation_of(cls),
        **{"seed": seed, "dataset": "model_a", "pool": "test", "cls": dataset.made_of(cls)},
        **{"first": 0, "count": count, "variant": variant},
    )


def validation(dataset, count=2):
    names = {"dataset": "model_a", "pool": "validation", "cls": SMOOTH}
    return simulate(dataset.simulation_of(SMOOTH), seed=7, **names, first=0, count=count)


@pytest.fixture
def made(config):
    variants = {
        "same": {"of": "vortex"},
        "heavy": {"of": "vortex", "substructure": {"vortex": {"mass_fraction": 0.08}}},
        "multipole": MULTIPOLE,
    }
    return dataset(config, variants, camera=TINY)


def test_variants_have_the_lenses_noise_and_positions_of_their_class(config, made):
    vortex, same, heavy = (simulated(made, cls) for cls in ("vortex", "same", "heavy"))
    assert np.array_equal(vortex.images, same.images)
    differing = [name for name, column in vortex.arrays.items() if not np.array_equal(column, heavy.arrays[name])]
    assert "substructure/vortex_area" in differing
    kept = {"truth/shear_magnitude", "truth/source_offset_arcsec", "substructure/vortex_x_arcsec", "psf"}
    assert kept.isdisjoint(differing)
    smooth, decoy = (simulated(made, cls) for cls in (SMOOTH, "multipole"))
    noise = [shard.images - shard.arrays["noise_free"] for shard in (smooth, decoy)]
    assert np.abs(noise[0] - noise[1]).max() < 0.2 * noise[0].std()
    assert not np.array_equal(smooth.images, decoy.images)
    plain = dataset(config, {}, camera=TINY)
    for cls in (SMOOTH, "vortex"):
        alone, beside = simulated(plain, cls), simulated(made, cls)
        assert alone.attributes == beside.attributes
        assert all(np.array_equal(alone.arrays[name], column) for name, column in beside.arrays.items())


def test_decoys_are_no_anomalies_and_their_own_twins(made, tmp_path):
    paths = []
    for cls in (SMOOTH, "vortex", "heavy", "multipole"):
        paths.append(tmp_path / f"{cls}.h5")
        shards.write(paths[-1], simulated(made, cls))
    paths.append(tmp_path / "validation.h5")
    shards.write(paths[-1], validation(made))
    pool = shards.read_all(paths, tmp_path)
    twins = Twins(pool, SMOOTH)
    assert twins.classes == ["smooth", "heavy", "vortex", "multipole"]
    assert twins.anomalies == ["heavy", "vortex"]
    assert twins.decoys == ["multipole"]
    decoy, heavy = (twins.test_rows(cls, 3) for cls in ("multipole", "heavy"))
    assert not twins.difference(decoy).any()
    assert np.array_equal(twins.truth(heavy)[0], pool.pixels["noise_free"][twins.test_rows(SMOOTH, 3)])
    assert len(EvaluationSet(twins, twins.images, twins.images[twins.validation]).names) == 4 * 3 + 2 * 2


def test_an_image_of_a_variant_is_made_again(config):
    odd = MULTIPOLE | {"of": "vortex"}
    study = parse_study(with_variants(config, {"multipole": MULTIPOLE, "odd": odd}, camera=TINY))
    for cls in ("multipole", "odd"):
        kept = simulated(study.datasets["model_a"], cls, seed=study.seed)
        again = observation(study, "model_a", "test", cls, 1)
        assert np.array_equal(again.image, kept.images[1])
        assert again.identity["class"] == cls
    twin = simulated(study.datasets["model_a"], "multipole", seed=study.seed)
    assert np.array_equal(again.maps["TWIN"], twin.images[1])
    assert np.abs(again.maps["KAPPADIF"]).max() > 0
