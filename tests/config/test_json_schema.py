"""The JSON schema: it is the committed one, all config files are valid against it, and mistakes are not."""

import json
import re

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource

from conftest import ROOT
from oddlens.config import json_schema
from oddlens.config.dataset import Dataset
from oddlens.config.detector_registry import detector_settings, detectors
from oddlens.config.presets import preset_names
from oddlens.config.study import Study
from oddlens.schema.priors import PARAMETERS

COMMITTED = json.loads((ROOT / "config/schema.json").read_text())
PRESET = json.loads((ROOT / "config/presets/schema.json").read_text())
CONFIGS = [*sorted((ROOT / "config").glob("*.yaml")), *sorted((ROOT / "tests").rglob("*.yaml"))]
PRESETS = sorted((ROOT / "config/presets").glob("*.yaml"))


def errors(schema, text):
    """The places of what a schema refuses in a YAML text."""
    registry = Registry().with_resource("schema.json", Resource.from_contents(COMMITTED))
    validator = jsonschema.Draft202012Validator({"$id": "presets/x", **schema}, registry=registry)
    return [error.json_path for error in validator.iter_errors(yaml.safe_load(text))]


def test_the_committed_schema_is_that_of_the_code():
    jsonschema.Draft202012Validator.check_schema(COMMITTED)
    assert (ROOT / "config/schema.json").read_text() == json_schema.text(), "run: oddlens schema config/schema.json"


def test_it_is_written_to_a_file(tmp_path):
    json_schema.write(tmp_path / "schema.json")
    assert json.loads((tmp_path / "schema.json").read_text()) == json_schema.json_schema()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_config_is_valid(path):
    assert errors(COMMITTED, path.read_text()) == []


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_preset_is_valid(path):
    assert errors(PRESET, path.read_text()) == []


@pytest.mark.parametrize("path", CONFIGS + PRESETS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_names_its_schema_for_editors(path):
    (named,) = re.findall(r"\A# yaml-language-server: \$schema=(.*)\n", path.read_text())
    place = ROOT / "config/presets" if path in PRESETS else ROOT / "config"
    assert (path.parent / named).resolve() == place / "schema.json"


def test_a_validated_study_is_valid_too(config):
    """What is recorded in a study's folder can be read as a config again."""
    assert errors(COMMITTED, (ROOT / "results/reference/config.yaml").read_text()) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("seeed: 1", "$"),
        ("seed: -1", "$.seed"),
        ("training: {epohs: 3}", "$.training"),
        ("training: {precision: float16}", "$.training.precision"),
        ("datasets: {a: {preset: modle_a}}", "$.datasets.a.preset"),
        ("datasets: {a: {preset: [model_a, hts]}}", "$.datasets.a.preset"),
        ("datasets: {a/b: {}}", "$.datasets"),
        ("datasets: {a: {lens: {redshift: {unifrom: [0, 1]}}}}", "$.datasets.a.lens.redshift"),
        ("datasets: {a: {lens: {redshift: {uniform: [0]}}}}", "$.datasets.a.lens.redshift"),
        ("datasets: {a: {lens: {shear: {magnitude: 2}}}}", "$.datasets.a.lens.shear.magnitude"),
        ("datasets: {a: {substructure: {cmd: {}}}}", "$.datasets.a.substructure"),
        ("datasets: {a: {substructure: {cdm: {numbr: 3}}}}", "$.datasets.a.substructure.cdm"),
        ("detectors: {dcae: {latnt: 3}}", "$.detectors.dcae"),
        ("detectors: {dcae: {latent: -3}}", "$.detectors.dcae.latent"),
        ("detectors: {a: {detector: dcea}}", "$.detectors.a.detector"),
        ("detectors: {a: {sweep: {latent: 3}}}", "$.detectors.a.sweep.latent"),
        ("detectors: {a: {labels: {cdm: 0}}}", "$.detectors.a.labels.cdm"),
        ("regression: {a: {bins: 1}}", "$.regression.a.bins"),
        ("only: dcae", "$.only"),
    ],
)
def test_mistakes_are_found_where_they_are(text, place):
    assert errors(COMMITTED, text) == [place]


@pytest.mark.parametrize(
    "text",
    [
        "detectors: {dcae: null, flux: {}, a: {like: dcae, batch_norm: null, training: {robust: refine}}}",
        "datasets: {a: {preset: [model_c, euclid], lens: {ellipticity: null}, camera: {exposure_s: 3}}}",
        "contamination: {fractions: {mixed: null}}",
        "real: {one: lens.fits, two: {path: index.csv, claimed: [b]}}",
        "detectors: {infonce: {sweep: {beta: [0, 1], critic: [cosine]}, trials: 2, labels: {mixed: 5}}}",
        "datasets: {a: {source: {redshift: {truncnorm: [1, 0.1, 0.5, 2]}}}}",
    ],
)
def test_whatever_a_file_may_say_is_valid(text):
    assert errors(COMMITTED, text) == []


def test_all_keys_can_be_completed():
    defined = COMMITTED["$defs"]
    assert list(COMMITTED["properties"]) == [key for key in Study.model_fields if key != "external"]
    assert {*Dataset.model_fields, "preset"} == set(defined["Dataset"]["properties"])
    row = set(defined["DetectorRow"]["properties"])
    assert {"detector", "training", "labels", "like", "ablates", "sweep", "trials", "contaminated", "input"} < row
    assert all(set(detector_settings(name).model_fields) < row for name in detectors())
    assert defined["DetectorRow"]["properties"]["detector"]["enum"] == detectors()
    assert defined["Dataset"]["properties"]["preset"]["anyOf"][0]["enum"] == preset_names()
    assert set(defined["Prior"]["properties"]) == set(PARAMETERS) - {"fixed"}


def test_a_row_of_outside_scores_is_valid():
    assert errors(COMMITTED, "detectors: {theirs: {scores: a.csv, higher_is: more_normal, datasets: [model_a]}}") == []
    assert errors(COMMITTED, "detectors: {theirs: {scores: a.csv, higher_is: odd}}")
    assert errors(COMMITTED, "detectors: {theirs: {scores: a.csv, training: {epochs: 1}}}")


def test_keys_are_described():
    training, row = (COMMITTED["$defs"][name]["properties"] for name in ("Training", "DetectorRow"))
    assert all(entry["description"] for entry in training.values())
    assert training["epochs"]["default"] == 20
    assert "dcae" in row["batch_norm"]["description"]
    assert "default false" in row["batch_norm"]["description"]
