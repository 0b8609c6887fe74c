from oddlens.config import presets
from oddlens.config.dataset import exposure_groups
from oddlens.config.study import parse_study
from refusals import refused


def test_data_sets_that_differ_in_the_exposure_only_are_grouped(config):
    assert exposure_groups(parse_study(config).datasets) == {}
    like = config["datasets"]["model_a"]
    config["datasets"] |= {
        "short": like | {"camera": {"exposure_s": 100}, "images": like["images"] | {"test": 50}},
        "sky": like | {"camera": {"exposure_s": 100, "sky_per_arcsec2": 2}},
        "varied": like | {"camera": {"exposure_s": {"uniform": [100, 200]}}},
    }
    assert exposure_groups(parse_study(config).datasets) == {
        "model_a": "model_a",
        "short": "model_a",
        "varied": "model_a",
    }


def test_a_preset_may_build_on_another(config):
    study = parse_study(config)
    a, b = study.datasets["model_a"], study.datasets["model_b"]
    assert a.lens.redshift.kind == "fixed"
    assert b.lens.redshift.parameters == (0.4, 0.6)
    assert a.lens.shear == b.lens.shear


def test_null_removes_what_a_preset_gives(config):
    config["datasets"]["model_a"]["substructure"] = {"vortex": None}
    study = parse_study(config | {"datasets": {"model_a": config["datasets"]["model_a"]}})
    assert study.datasets["model_a"].classes == ["smooth", "cdm"]


def test_a_preset_that_builds_on_itself_is_refused(config, tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "PRESETS", tmp_path)
    (tmp_path / "one.yaml").write_text("preset: two")
    (tmp_path / "two.yaml").write_text("preset: one")
    config["datasets"]["model_a"]["preset"] = "one"
    assert "'one' builds on itself (one -> two -> one)" in refused(config)
