"""Rows of outside scores in a config."""

import pytest

from oddlens.config import comparison
from oddlens.config.external_row import without_scores
from oddlens.config.study import parse_study
from oddlens.schema.config_errors import ConfigError

THEIRS = {"scores": "theirs.csv", "higher_is": "more_anomalous"}


def test_a_row_of_outside_scores_is_a_row_but_never_a_model(config):
    config["detectors"]["theirs"] = THEIRS | {"name": "anomalib 2.7 PatchCore"}
    study = parse_study(config)
    assert "theirs" not in study.detectors
    assert study.external["theirs"].datasets is None
    assert comparison.rows(study)["theirs"] == {"role": "external", "ablates": None, "sweep": None, "varied": {}}
    assert comparison.descriptions(study)["theirs"] == "anomalib 2.7 PatchCore"
    assert "theirs" not in comparison.scorers(study)


def test_without_a_name_the_table_is_named(config):
    config["detectors"]["theirs"] = THEIRS | {"scores": "some/where/theirs.csv"}
    assert comparison.descriptions(parse_study(config))["theirs"] == "Scores of theirs.csv"


def test_only_chooses_among_rows_of_outside_scores_too(config):
    config["detectors"] |= {"theirs": THEIRS, "others": THEIRS}
    config["only"] = ["flux", "their*"]
    study = parse_study(config)
    assert (list(study.detectors), list(study.external)) == (["flux"], ["theirs"])


def test_data_sets_without_scores_are_named(config):
    config["detectors"]["theirs"] = THEIRS | {"datasets": ["model_b"]}
    rows = parse_study(config).external
    assert without_scores(rows, "model_b") == {}
    assert without_scores(rows, "model_a") == {"theirs": "its table has scores of model_b alone"}


def test_the_most_anomalous_images_of_outside_scores_can_be_followed_up(config):
    config["detectors"]["theirs"] = THEIRS
    config["follow_up"] = {"model_a": {"row": "theirs"}}
    assert parse_study(config).follow_up["model_a"].row == "theirs"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"scores": "a.csv"}, "detectors.theirs.higher_is: missing"),
        (THEIRS | {"higher_is": "odd"}, "detectors.theirs.higher_is: .*'more_anomalous' or 'more_normal'.*got 'odd'"),
        (THEIRS | {"training": {"epochs": 2}}, "detectors.theirs.training: unknown key. Known: scores, higher_is"),
        (THEIRS | {"datasets": ["model_x"]}, "unknown data set 'model_x'. Known: model_a, model_b.*Did you mean"),
    ],
)
def test_mistakes_are_errors_at_their_key(row, words, config):
    config["detectors"]["theirs"] = row
    with pytest.raises(ConfigError, match=words):
        parse_study(config)


def test_nothing_builds_on_outside_scores_or_publishes_them(config):
    config["detectors"] |= {"theirs": THEIRS, "mine": {"like": "theirs"}}
    with pytest.raises(ConfigError, match=r"detectors\.mine.like: 'theirs' has outside scores"):
        parse_study(config)
    del config["detectors"]["mine"]
    config["publish"] = {"model_a": ["theirs"]}
    with pytest.raises(ConfigError, match=r"publish\.model_a: unknown row 'theirs'"):
        parse_study(config)


def test_a_study_has_a_row_of_its_own_and_no_section_of_outside_rows(config):
    config["detectors"] = {"theirs": THEIRS}
    config["only"] = None
    with pytest.raises(ConfigError, match="all rows have outside scores: add one"):
        parse_study(config)
    config["detectors"]["flux"] = {}
    config["external"] = {"theirs": THEIRS}
    with pytest.raises(ConfigError, match="external: rows of outside scores are among detectors"):
        parse_study(config)
