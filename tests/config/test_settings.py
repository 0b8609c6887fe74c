import inspect

import pytest
import yaml

from conftest import ROOT
from oddlens.config import settings
from oddlens.config.config_files import must_say_keys_once
from oddlens.detectors.interface import loading
from oddlens.schema.config_errors import ConfigError, nearest


def refused(config) -> str:
    with pytest.raises(ConfigError) as error:
        settings.study(config)
    return str(error.value)


def test_the_default_study_is_valid(config):
    study = settings.study(config)
    assert list(study.datasets) == ["model_a", "model_b"]
    assert study.training_sets()[0] == "none-0"


OTHERS = [
    *sorted(p for p in (ROOT / "config").glob("*.yaml") if p.name != "config.yaml"),
    ROOT / "tests" / "config.yaml",
]


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_the_other_studies_are_valid_over_the_default(config, path):
    over = yaml.safe_load(path.read_text())
    assert settings.study(settings.merged(config, over)).study == over["study"]


@pytest.mark.parametrize(
    ("publish", "words"),
    [
        ({"model_x": ["aae"]}, "publish: unknown data set 'model_x'. Known: model_a, model_b."),
        ({"model_a": ["aea"]}, "publish.model_a: unknown row 'aea'."),
        ({"model_a": ["oracle"]}, "publish.model_a: oracle scores no images alone"),
    ],
)
def test_only_what_stands_alone_is_published(config, publish, words):
    assert words in refused(config | {"publish": publish})


def test_a_valid_study_survives_a_round_trip_through_plain_data(config):
    plain = settings.study(config).plain()
    again = settings.Study.model_validate(yaml.safe_load(yaml.safe_dump(plain)))
    assert again.plain() == plain


def test_a_preset_may_build_on_another(config):
    study = settings.study(config)
    a, b = study.datasets["model_a"], study.datasets["model_b"]
    assert a.lens.redshift.kind == "fixed"
    assert b.lens.redshift.parameters == (0.4, 0.6)
    assert a.lens.shear == b.lens.shear


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("seeed", 1, ["seeed: unknown key", "Did you mean 'seed'?"]),
        ("training.epoch", 3, ["training.epoch: unknown key", "Did you mean 'epochs'?"]),
        ("training.epochs", "many", ["training.epochs", "'many'"]),
        ("training.batch_size", 0, ["training.batch_size", "greater than 0", "0"]),
        ("training.precision", "float16", ["training.precision", "'float32' or 'bfloat16'", "'float16'"]),
        ("datasets.model_a.preset", "modle_a", ["datasets.model_a.preset", "Did you mean 'model_a'?"]),
        ("datasets.model_a.camera.pixel", 3, ["datasets.model_a.camera.pixel: unknown key", "Did you mean 'pixels'?"]),
        ("datasets.model_a.camera.psf.pixels", 20, ["datasets.model_a.camera.psf.pixels", "20 is even", "take 21"]),
        ("datasets.model_a.camera.psf.pixels", 1, ["camera.psf.pixels", "greater than or equal to 3", "1"]),
        ("datasets.model_a.camera.psf.fwhm_arcsec", 0, ["camera.psf.fwhm_arcsec", "[0, 0]", "allowed is [0.001, inf]"]),
        (
            "datasets.model_a.camera.psf.fwhm_arcsec",
            5,
            ["datasets.model_a.camera.psf", "5 arcsec", "21 pixels of 0.2 arcsec", "raise psf.pixels"],
        ),
        (
            "datasets.model_a.camera.psf.profile",
            "moffat",
            ["datasets.model_a.camera.psf", "moffat_beta goes with profile moffat", "moffat"],
        ),
        (
            "datasets.model_a.camera.psf.moffat_beta",
            3,
            ["datasets.model_a.camera.psf", "moffat_beta goes with profile moffat", "the profile is airy"],
        ),
        (
            "datasets.model_a.camera.psf.profile",
            "arry",
            ["camera.psf.profile", "'airy', 'gaussian' or 'moffat'", "'arry'"],
        ),
        ("datasets.model_a.camera.exposure_s", 0, ["datasets.model_a.camera.exposure_s", "allowed is [0.001, inf]"]),
        ("datasets.model_a.camera.error_sigma", 0, ["datasets.model_a.camera.error_sigma", "greater than 0"]),
        ("datasets.model_a.camera.over_sampling", 0, ["camera.over_sampling", "greater than or equal to 1"]),
        ("datasets.model_a.camera.noise", "gauss", ["camera.noise", "'poisson' or 'none'", "'gauss'"]),
        ("datasets.model_a.camera.sky_per_arcsec2", -1, ["camera.sky_per_arcsec2", "[-1, -1]", "allowed is [0, inf]"]),
        ("datasets.model_a.camera.read_noise_electrons", -1, ["camera.read_noise_electrons", "allowed is [0, inf]"]),
        ("datasets.model_a.camera.noise_correlation_pixels", 20, ["noise_correlation_pixels", "allowed is [0, 10]"]),
        ("datasets.model_a.lens.mass_msun", -1e12, ["datasets.model_a.lens.mass_msun", "-1e+12", "[1e+06, inf]"]),
        (
            "datasets.model_a.lens.mass_msun",
            {"normal": [1e12, 1e11]},
            ["datasets.model_a.lens.mass_msun", "[-inf, inf]", "allowed is [1e+06, inf]"],
        ),
        (
            "datasets.model_a.lens.ellipticity",
            {"axis_ratio": 1.2, "angle_deg": 0},
            ["datasets.model_a.lens.ellipticity.axis_ratio", "1.2", "allowed is [0.2, 1]"],
        ),
        ("datasets.model_a.lens.ellipticity", {"axis_ratio": 0.8}, ["lens.ellipticity.angle_deg: missing"]),
        (
            "datasets.model_a.lens.multipole_4",
            {"strength": -0.01, "angle_deg": 0},
            ["datasets.model_a.lens.multipole_4.strength", "-0.01", "allowed is [0, 0.2]"],
        ),
        ("datasets.model_a.lens.multipole_5", {}, ["multipole_5: unknown key", "Did you mean 'multipole_4'?"]),
        ("datasets.model_a.lens.conserve_mass", "perhaps", ["datasets.model_a.lens.conserve_mass", "'perhaps'"]),
        (
            "datasets.model_a.substructure.cdm.mass_msun",
            -1e9,
            ["datasets.model_a.substructure.cdm.mass_msun", "-1e+09", "allowed is [0, inf]"],
        ),
        ("datasets.model_a.substructure.cdm.mass_fraction", 0.01, ["substructure.cdm", "give number or mass_fraction"]),
        ("datasets.model_a.substructure.vortex.axion_mass_ev", 1e-23, ["substructure.vortex", "either length_arcsec"]),
        (
            "datasets.model_a.substructure.subhalo",
            {"radius_arcsec": 1},
            ["substructure.subhalo.mass_msun: missing", "substructure.subhalo.truncation_arcsec: missing"],
        ),
        (
            "datasets.model_a.substructure.cdm.truncated_nfw",
            {"concentration": 0, "truncation_scale_radii": 4},
            ["substructure.cdm.truncated_nfw.concentration", "allowed is [1, 100]"],
        ),
        ("datasets.model_a.source.redshift", {"uniform": [0.4, 2]}, ["redshift 0.5 and the source at 0.4"]),
        ("datasets.model_a.preset", ["model_a", "hts"], ["datasets.model_a.preset", "unknown preset 'hts'", "'hst'"]),
        ("datasets.model_a.substructure.cmd", {"a": 1}, ["unknown class 'cmd'", "Did you mean 'cdm'?"]),
        (
            "datasets.model_a.substructure.cdm.numbr",
            3,
            ["datasets.model_a.substructure.cdm.numbr: unknown key", "Did you mean 'number'?"],
        ),
        (
            "datasets.model_a.source.axis_ratio",
            {"uniform": [0.4, 1.5]},
            ["datasets.model_a.source.axis_ratio", "[0.4, 1.5]", "[0.05, 1]"],
        ),
        ("datasets.model_a.source.axis_ratio", {"unifrom": [0.4, 1]}, ["unifrom", "uniform"]),
        ("datasets.model_a.source.redshift", 0.4, ["lens.redshift must stay below source.redshift"]),
        ("datasets.model_a.images.contaminant", 100, ["images.contaminant is 100", "takes 400"]),
        ("contamination.images", 9500, ["contamination.images is 9500", "raise the pool"]),
        ("contamination.fractions.cdn", [0.1], ["unknown contaminant 'cdn'", "Did you mean 'cdm'?"]),
        ("contamination.fractions.cdm", [0.7], ["contamination.fractions.cdm", "0.7", "0.5"]),
        ("contamination.seeds", [], ["contamination.seeds", "at least 1"]),
        ("contamination.seeds", [1, 1], ["twice"]),
        ("detectors.dcea", {}, ["unknown detector 'dcea'", "Did you mean 'dcae'?"]),
        ("detectors.dcae.latnt", 3, ["detectors.dcae.latnt: unknown key", "Did you mean 'latent'?"]),
        ("detectors.dcae.latent", -3, ["detectors.dcae.latent", "greater than 0", "-3"]),
        ("detectors.rbm.visible", "gauss", ["detectors.rbm.visible", "'gaussian' or 'bernoulli'"]),
        ("detectors.dcae.training", {"epohs": 3}, ["detectors.dcae.training.epohs", "Did you mean 'epochs'?"]),
        ("study", "my study", ["study", "my study"]),
        ("training", [1], ["training: must map names", "[1]"]),
        ("detectors.dcae.training", "fast", ["detectors.dcae.training: must map names", "'fast'"]),
        ("detectors", None, ["detectors: must map names"]),
        ("datasets.model_a.images.test", 1, ["images.test", "2"]),
        ("datasets.model_a.substructure", None, ["datasets.model_a.substructure: missing"]),
        ("datasets.model_a.camera.pixel_scale_arcsec", float("inf"), ["pixel_scale_arcsec", "finite"]),
        ("contamination.fractions.cdm", [1e-5], ["contamination.fractions.cdm", "1e-05"]),
        ("contamination.fractions.cdm", [0.1, 0.1000001], ["two fractions agree"]),
    ],
)
def test_a_mistake_is_told_with_its_key_its_value_and_what_is_allowed(config, path, value, told):
    *parents, key = path.split(".")
    section = config
    for parent in parents:
        section = section.setdefault(parent, {})
    section[key] = value
    message = refused(config)
    for words in told:
        assert words in message, message


def test_all_mistakes_are_told_at_once(config):
    config["seed"], config["training"]["epochs"] = -1, -1
    assert len(refused(config).splitlines()) >= 2


def test_null_removes_a_row(config):
    config["detectors"]["flux"] = None
    assert "flux" not in settings.study(config).detectors


def test_a_row_is_like_another_but_for_what_it_says(config):
    config["detectors"] |= {
        "base": {"detector": "dcae", "latent": 7, "batch_norm": True, "training": {"epochs": 3, "batch_size": 9}},
        "like": {"like": "base", "batch_norm": None, "training": {"epochs": 4}},
        "less": {"ablates": "like", "score": "error"},
    }
    rows = settings.study(config).detectors
    like, less = rows["like"], rows["less"]
    assert (like.detector, like.settings["latent"], like.settings["batch_norm"]) == ("dcae", 7, False)
    assert (like.training.epochs, like.training.batch_size, like.role, like.contaminated) == (4, 9, "detector", True)
    changed = {key for key, value in less.settings.items() if value != like.settings[key]}
    assert changed == {"score"}
    assert (less.training, less.role, less.ablates, less.contaminated) == (like.training, "ablation", "like", False)


def test_rows_train_on_what_their_kind_is_for(config):
    study = settings.study(config)
    everything = study.training_sets()
    assert everything == ["none-0", "mixed-0.1", "labelled-0.5"]
    assert study.training_sets_of("dcae") == everything[:-1]
    assert study.training_sets_of("dcae_plain_error") == ["none-0"]
    assert study.training_sets_of("supervised") == ["labelled-0.5"]
    roles = {row: study.detectors[row].role for row in ("dcae", "dcae_plain_error", "supervised", "flux", "knn")}
    assert list(roles.values()) == ["detector", "ablation", "upper_bound", "control", "reference"]


def test_rows_that_differ_only_in_their_score_share_models(config):
    config["detectors"] = {
        "dcae": {},
        "error": {"ablates": "dcae", "score": "error"},
        "shallow": {"ablates": "dcae", "score": "error", "depth": 1},
        "briefly": {"like": "dcae", "score": "error", "training": {"epochs": 1}},
        # Refined by another score, it is trained on other images.
        "refined": {"like": "dcae", "training": {"robust": "refine"}},
        "refined_error": {"like": "refined", "score": "error"},
        # The first of a kind has no models on the sets that the second wants.
        "aae_error": {"detector": "aae", "score": "error", "contaminated": False},
        "aae": {},
    }
    study = settings.study(config)
    shared = {row: own for row in study.detectors if (own := study.trained(row)) != row}
    assert shared == {"error": "dcae"}


def test_a_sweep_is_replaced_by_its_candidates(config):
    grid = {"beta": [0, 0.5, 2], "critic": ["cosine", "bilinear"]}
    config["detectors"] |= {
        "every": {
            "like": "dcae",
            "detector": "cvae",
            "sweep": {"latent": [6, 12], "optimiser": ["muon", "adam"]},
            "contaminated": False,
        },
        "infonce": {"sweep": grid, "trials": 3, "training": {"epochs": 2}},
    }
    study = settings.study(config)
    rows = study.detectors
    assert [name for name, row in rows.items() if row.sweep == "every"] == [f"every_{k:02d}" for k in (1, 2, 3, 4)]
    assert {(rows[n].settings["latent"], rows[n].settings["optimiser"]) for n in rows if rows[n].sweep == "every"} == {
        (6, "muon"),
        (6, "adam"),
        (12, "muon"),
        (12, "adam"),
    }
    assert (rows["every_01"].detector, rows["every_01"].role, rows["every_01"].contaminated) == (
        "cvae",
        "candidate",
        False,
    )
    assert study.varied("every_01") == {"latent": 6, "optimiser": "muon"}
    assert study.varied("dcae") == {}
    drawn = [(rows[n].settings["beta"], rows[n].settings["critic"]) for n in rows if rows[n].sweep == "infonce"]
    assert len(set(drawn)) == 3
    assert rows["infonce_02"].training.epochs == 2
    assert settings.study(config).detectors == rows, "the draw is a function of names and seed"
    only = settings.study(config | {"only": ["infonce", "dcae"]})
    assert set(only.detectors) == {"dcae", "infonce_01", "infonce_02", "infonce_03"}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"sweep": {"beta": 3}}, r"infonce\.sweep: must map settings to lists"),
        (
            {"sweep": {"beta": [0, 1]}, "trials": 3},
            r"infonce\.trials: must be 2 to the 2 combinations .*\(got 3\)",
        ),
        ({"sweep": {"bata": [0, 1]}}, r"infonce_01\.bata.*Did you mean 'beta'"),
        ({"sweep": {"beta": [0, -1]}}, r"infonce_02\.beta"),
    ],
)
def test_sweeps_over_nothing_are_refused(config, row, told):
    config["detectors"]["infonce"] = row
    with pytest.raises(ConfigError, match=told):
        settings.study(config)


def test_labels_are_counted_by_class(config):
    config["detectors"] |= {
        "few": {"detector": "infonce", "labels": {"mixed": 5}},
        "more": {"detector": "svdd", "labels": {"cdm": 10, "mixed": 4}},
    }
    study = settings.study(config)
    assert study.labels_of("few", "model_a") == {"smooth": 0, "cdm": 3, "vortex": 2}
    assert study.labels_of("more", "model_a") == {"smooth": 0, "cdm": 12, "vortex": 2}
    assert study.labels_of("dcae", "model_a") == {"smooth": 0, "cdm": 0, "vortex": 0}
    assert study.known("model_b") == {"cdm": 12, "vortex": 2}
    assert study.training_sets_of("few") == study.training_sets_of("dcae")


def test_a_row_may_see_what_a_fit_leaves_over(config):
    config["detectors"]["left"] = {"like": "dcae", "input": "residual"}
    study = settings.study(config)
    assert study.fitting_row == "lensfit"
    assert study.detectors["left"].input == "residual"
    assert study.detectors["left"].settings == study.detectors["dcae"].settings
    assert study.trained("left") == "left", "the models are others"
    config["only"] = ["left", "dcae"]
    with pytest.raises(ConfigError, match=r"left\.input is residual, and no row fits lenses: add one of lensfit"):
        settings.study(config)


@pytest.mark.parametrize("row", [{"detector": "oracle"}, {"detector": "lensfit"}])
def test_what_needs_images_sees_no_leftovers(config, row):
    config["detectors"]["new"] = {**row, "input": "scan"}
    with pytest.raises(ConfigError, match=r"new\.input: (oracle|lensfit) needs images themselves"):
        settings.study(config)


def test_the_ceiling_gets_as_many_smooth_images_as_odd_ones(config):
    config["detectors"]["supervised_1k"] = {"like": "supervised", "labels": {"mixed": 500}}
    study = settings.study(config)
    assert study.labels_of("supervised_1k", "model_a") == {"smooth": 500, "cdm": 250, "vortex": 250}
    assert study.labels_of("supervised", "model_a") == {"smooth": 0, "cdm": 0, "vortex": 0}  # the whole labelled set
    assert study.known("model_a") == {"smooth": 500, "cdm": 250, "vortex": 250}
    assert study.training_sets_of("supervised_1k") == study.training_sets_of("supervised")
    assert study.trained("supervised_1k") == "supervised_1k"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            {"detector": "dcae", "labels": {"cdm": 5}},
            r"detectors\.new\.labels: dcae can make nothing of labels; infonce, supervised, svdd can",
        ),
        (
            {"detector": "infonce", "labels": {"cmd": 5}},
            r"detectors\.new\.labels: unknown class 'cmd'.*Did you mean 'cdm'",
        ),
        ({"detector": "infonce", "labels": {"cdm": 0}}, r"detectors\.new\.labels\.cdm"),
        (
            {"detector": "infonce", "labels": {"cdm": 3700}},
            r"images\.contaminant is 4000, but 400 cdm hide .* tells 3700 others",
        ),
        (
            {"detector": "supervised", "labels": {"mixed": 8001}},
            r"images\.train is 8000, but detectors\.new\.labels tells 8001 odd images",
        ),
    ],
)
def test_labels_that_nobody_has_or_wants_are_refused(config, row, told):
    config["detectors"]["new"] = row
    with pytest.raises(ConfigError, match=told):
        settings.study(config)


def test_data_sets_that_differ_in_their_exposure_alone_are_found(config):
    assert settings.study(config).exposures() == {}
    like = config["datasets"]["model_a"]
    config["datasets"] |= {
        "short": like | {"camera": {"exposure_s": 100}, "images": like["images"] | {"test": 50}},
        "sky": like | {"camera": {"exposure_s": 100, "sky_per_arcsec2": 2}},
        "varied": like | {"camera": {"exposure_s": {"uniform": [100, 200]}}},
    }
    assert settings.study(config).exposures() == {"model_a": "model_a", "short": "model_a", "varied": "model_a"}


def test_only_some_rows_are_chosen(config):
    chosen = settings.study(config | {"only": ["dcae", "dcae_plain_error"]})
    assert list(chosen.detectors) == ["dcae", "dcae_plain_error"]
    assert "labelled-0.5" not in chosen.training_sets()
    assert set(settings.study(config | {"only": ["dcae*"]}).detectors) == {
        r for r in config["detectors"] if r.startswith("dcae")
    }
    with pytest.raises(ConfigError, match=r"only: there is no row 'dace'.*Did you mean 'dcae'"):
        settings.study(config | {"only": ["dace"]})
    with pytest.raises(ConfigError, match=r"dcae_plain_error ablates 'dcae', which `only` leaves out"):
        settings.study(config | {"only": ["dcae_plain_error"]})


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({"a": {"like": "b"}, "b": {"like": "a"}}, r"builds on itself \(.*a -> b.*\)"),
        ({"a": {"like": "a"}}, "builds on itself"),
        ({"a": {"ablates": "dace"}}, "there is no row 'dace'.*Did you mean 'dcae'"),
    ],
)
def test_rows_that_are_like_nothing_are_refused(config, rows, told):
    config["detectors"] |= rows
    with pytest.raises(ConfigError, match=told):
        settings.study(config)


def test_null_removes_what_a_preset_gives(config):
    config["datasets"]["model_a"]["substructure"] = {"vortex": None}
    study = settings.study(config | {"datasets": {"model_a": config["datasets"]["model_a"]}})
    assert study.datasets["model_a"].classes == ["smooth", "cdm"]


def test_a_preset_that_builds_on_itself_is_told(config, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "PRESETS", tmp_path)
    (tmp_path / "one.yaml").write_text("preset: two")
    (tmp_path / "two.yaml").write_text("preset: one")
    config["datasets"]["model_a"]["preset"] = "one"
    assert "'one' builds on itself (one -> two -> one)" in refused(config)


def test_a_row_may_be_a_variant_of_a_detector(config):
    config["detectors"]["narrow"] = {"detector": "dcae", "latent": 4, "training": {"epochs": 7}}
    row = settings.study(config).detectors["narrow"]
    assert (row.detector, row.settings["latent"], row.training.epochs) == ("dcae", 4, 7)
    assert row.training.batch_size == config["training"]["batch_size"]


def test_a_prior_replaces_the_one_below_whole():
    below = {"a": {"x": {"uniform": [0, 1]}, "y": 2}}
    assert settings.merged(below, {"a": {"x": {"normal": [0, 1]}}}) == {"a": {"x": {"normal": [0, 1]}, "y": 2}}


@pytest.mark.parametrize("name", settings.detectors())
def test_settings_read_from_the_file_are_those_of_the_constructor(name):
    defaults = {}
    for cls in loading.detector(name).__mro__:
        arguments = inspect.signature(cls.__init__).parameters.values()
        defaults |= {a.name: a.default for a in arguments if a.kind is a.KEYWORD_ONLY}
        if not any(a.kind is a.VAR_KEYWORD for a in arguments):
            break
    assert settings.detector_settings(name)().plain() == defaults


def test_nothing_near_is_no_suggestion():
    assert "Did you mean" not in nearest("xyz", ["aae", "cvae"])


def test_a_key_that_stands_twice_is_told_with_its_lines(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("study: one\ndatasets:\n  a: &same {images: {train: 1, train: 2}}\n  b: *same\nstudy: two\n")
    with pytest.raises(ConfigError) as error:
        must_say_keys_once([file])
    first, second = str(error.value).splitlines()
    assert first == f"{file}, line 5: 'study' stands in line 1 already, and only the last would count. Make them one"
    assert f"{file}, line 3: 'train' stands in line 3" in second


def test_every_config_of_the_project_says_its_keys_once(tmp_path):
    must_say_keys_once([*sorted((ROOT / "config").rglob("*.yaml")), ROOT / "tests/config.yaml"])
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "itself.yaml").write_text("a: &a [*a, {b: 1}, {b: 2}]\n")
    (tmp_path / "merged.yaml").write_text("a: &a {x: 1}\nb: &b {y: 1}\nc:\n  <<: *a\n  <<: *b\n  1: 2\n  '1': 3\n")
    (tmp_path / "tabs.json").write_text('{\n\t"study": "a"\n}\n')
    must_say_keys_once(tmp_path / name for name in ("empty.yaml", "itself.yaml", "merged.yaml", "tabs.json"))
