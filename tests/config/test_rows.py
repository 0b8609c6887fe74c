import pytest

from oddlens.config.comparison import varied
from oddlens.config.study import parse_study
from oddlens.config.training_plan import model_row, training_sets
from oddlens.schema.config_errors import ConfigError


def test_null_removes_a_row(config):
    config["detectors"]["flux"] = None
    assert "flux" not in parse_study(config).detectors


def test_a_row_inherits_from_the_row_that_it_is_like(config):
    config["detectors"] |= {
        "base": {"detector": "dcae", "latent": 7, "batch_norm": True, "training": {"epochs": 3, "batch_size": 9}},
        "like": {"like": "base", "batch_norm": None, "training": {"epochs": 4}},
        "less": {"ablates": "like", "score": "error"},
    }
    rows = parse_study(config).detectors
    like, less = rows["like"], rows["less"]
    assert (like.detector, like.settings["latent"], like.settings["batch_norm"]) == ("dcae", 7, False)
    assert (like.training.epochs, like.training.batch_size, like.role, like.contaminated) == (4, 9, "detector", True)
    changed = {key for key, value in less.settings.items() if value != like.settings[key]}
    assert changed == {"score"}
    assert (less.training, less.role, less.ablates, less.contaminated) == (like.training, "ablation", "like", False)


def test_a_row_may_be_a_variant_of_a_detector(config):
    config["detectors"]["narrow"] = {"detector": "dcae", "latent": 4, "training": {"epochs": 7}}
    row = parse_study(config).detectors["narrow"]
    assert (row.detector, row.settings["latent"], row.training.epochs) == ("dcae", 4, 7)
    assert row.training.batch_size == config["training"]["batch_size"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"a": {"like": "b"}, "b": {"like": "a"}}, r"builds on itself \(.*a -> b.*\)"),
        ({"a": {"like": "a"}}, "builds on itself"),
        ({"a": {"ablates": "dace"}}, "there is no row 'dace'.*Did you mean 'dcae'"),
    ],
)
def test_rows_with_an_unknown_or_circular_base_are_refused(config, rows, words):
    config["detectors"] |= rows
    with pytest.raises(ConfigError, match=words):
        parse_study(config)


def test_only_chooses_rows_by_name_and_pattern(config):
    chosen = parse_study(config | {"only": ["dcae", "dcae_plain_error"]})
    assert list(chosen.detectors) == ["dcae", "dcae_plain_error"]
    assert "labelled-0.5" not in training_sets(chosen, chosen.datasets["model_a"].pools)
    assert set(parse_study(config | {"only": ["dcae*"]}).detectors) == {
        r for r in config["detectors"] if r.startswith("dcae")
    }
    with pytest.raises(ConfigError, match=r"only: there is no row 'dace'.*Did you mean 'dcae'"):
        parse_study(config | {"only": ["dace"]})
    with pytest.raises(ConfigError, match=r"dcae_plain_error ablates 'dcae', which `only` leaves out"):
        parse_study(config | {"only": ["dcae_plain_error"]})


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
    study = parse_study(config)
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
    assert varied(study, "every_01") == {"latent": 6, "optimiser": "muon"}
    assert varied(study, "dcae") == {}
    sampled = [(rows[n].settings["beta"], rows[n].settings["critic"]) for n in rows if rows[n].sweep == "infonce"]
    assert len(set(sampled)) == 3
    assert rows["infonce_02"].training.epochs == 2
    assert parse_study(config).detectors == rows, "the sample is a function of names and seed"
    only = parse_study(config | {"only": ["infonce", "dcae"]})
    assert set(only.detectors) == {"dcae", "infonce_01", "infonce_02", "infonce_03"}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"sweep": {"beta": 3}}, r"infonce\.sweep: must map settings to lists"),
        (
            {"sweep": {"beta": [0, 1]}, "trials": 3},
            r"infonce\.trials: must be 2 to the 2 combinations .*\(got 3\)",
        ),
        ({"sweep": {"bata": [0, 1]}}, r"infonce\.sweep\.bata.*Did you mean 'beta'"),
        ({"sweep": {"beta": [0, -1]}}, r"infonce_02\.beta"),
    ],
)
def test_invalid_sweeps_are_refused(config, row, words):
    config["detectors"]["infonce"] = row
    with pytest.raises(ConfigError, match=words):
        parse_study(config)


def test_a_row_may_get_residual_inputs(config):
    config["detectors"]["left"] = {"like": "dcae", "input": "residual"}
    study = parse_study(config)
    assert study.fitting_row == "lensfit"
    assert study.detectors["left"].input == "residual"
    assert study.detectors["left"].settings == study.detectors["dcae"].settings
    assert model_row(study, "left") == "left", "the models are others"
    config["only"] = ["left", "dcae"]
    with pytest.raises(ConfigError, match=r"left\.input is residual, and no row fits lenses: add one of lensfit"):
        parse_study(config)


@pytest.mark.parametrize("row", [{"detector": "oracle"}, {"detector": "lensfit"}])
def test_detectors_that_need_images_get_no_residual_inputs(config, row):
    config["detectors"]["new"] = {**row, "input": "scan"}
    with pytest.raises(ConfigError, match=r"new\.input: (oracle|lensfit) needs images themselves"):
        parse_study(config)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            {"detector": "dcae", "labels": {"cdm": 5}},
            r"detectors\.new\.labels: dcae .*; infonce, supervised, svdd can",
        ),
        (
            {"detector": "infonce", "labels": {"cmd": 5}},
            r"detectors\.new\.labels: unknown class 'cmd'.*Did you mean 'cdm'",
        ),
        ({"detector": "infonce", "labels": {"cdm": 0}}, r"detectors\.new\.labels\.cdm"),
        (
            {"detector": "infonce", "labels": {"cdm": 3700}},
            r"images\.contaminant is 4000, but .* 400 cdm .* 3700 others",
        ),
        (
            {"detector": "supervised", "labels": {"mixed": 8001}},
            r"images\.train is 8000, but detectors\.new\.labels .* 8001 anomalies",
        ),
    ],
)
def test_labels_that_do_not_exist_or_are_not_used_are_refused(config, row, words):
    config["detectors"]["new"] = row
    with pytest.raises(ConfigError, match=words):
        parse_study(config)
