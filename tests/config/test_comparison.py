"""The rows of a study as jobs get them."""

import ast

import pytest

from oddlens.config import comparison, descriptions
from oddlens.config.study import parse_study


def test_rows_say_what_they_are_for(config):
    config["detectors"]["swept"] = {"like": "dcae", "sweep": {"latent": [4, 8]}}
    rows = comparison.rows(parse_study(config))
    assert rows["dcae"] == {"role": "detector", "ablates": None, "sweep": None, "varied": {}}
    assert rows["dcae_plain_error"] == {"role": "ablation", "ablates": "dcae", "sweep": None, "varied": {}}
    assert rows["swept_02"] == {"role": "candidate", "ablates": None, "sweep": "swept", "varied": {"latent": 8}}


def test_descriptions_are_apart_from_all_other_properties(config, monkeypatch):
    """So that a changed docstring changes no parameter of a job but the report's."""
    study = parse_study(config)
    before = comparison.rows(study), comparison.scorers(study)
    monkeypatch.setattr(ast, "get_docstring", lambda tree: "Something else. And more.")
    descriptions._first_sentence.cache_clear()
    assert set(comparison.descriptions(study).values()) == {"Something else"}
    assert (comparison.rows(study), comparison.scorers(study)) == before
    descriptions._first_sentence.cache_clear()


def test_all_rows_score_but_those_that_need_the_truth(config):
    study = parse_study(config)
    scorers = comparison.scorers(study)
    assert set(study.detectors) - set(scorers) == {"oracle"}
    assert scorers["dcae_plain_error"] == {
        "trained": "dcae",
        "training_set": "none-0",
        "scoring": {"score": "error"},
        "input": "images",
        "fitting_row": "lensfit",
    }
    assert scorers["supervised"]["training_set"] == "labelled-0.5"


@pytest.mark.parametrize("name", ["smooth", "cdm", "vortex", "subhalo"])
def test_classes_are_described(name):
    assert descriptions.class_description(name)
