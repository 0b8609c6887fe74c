"""One mistake is reported once, at the section where it was written."""

import pytest

from oddlens.config.merging import laid_over
from refusals import refused


@pytest.mark.parametrize(
    ("written", "places"),
    [
        ({"training": {"epochs:1": None}}, ["training: 'epochs:1' is one word for YAML"]),
        ({"training.epochs": 1}, ["training.epochs: a key inside a section is nested: training: {epochs: ...}"]),
        ({"training": {"robust": False}}, ["training.robust: "]),
        ({"training": {"batch_size": 10**6}}, ["training.batch_size is 1000000, more than contamination.images"]),
        ({"training": {"epochs": -1, "batch_size": 0}}, ["training.epochs: ", "training.batch_size: "]),
        ({"detectors": {"dcae": {"latent": 0}}}, ["detectors.dcae.latent: "]),
        ({"detectors": {"dcae": {"latnet": 3}}}, ["detectors.dcae.latnet: unknown key"]),
        ({"detectors": {"dcae": {"detector": "dcea"}}}, ["detectors.dcae: unknown detector 'dcea'"]),
        ({"detectors": {"dcae": {"training": {"epochs": -1}}}}, ["detectors.dcae.training.epochs: "]),
        (
            {"detectors": {"dcae": {"training": {"epochs": -1}}}, "training": {"epochs": -1}},
            ["training.epochs: ", "detectors.dcae.training.epochs: "],
        ),
        (
            {"detectors": {"mine": {"like": "cvae", "latent": 0, "sweep": {"kl_weight": [0, 1]}}}},
            ["detectors.mine.latent: "],
        ),
        (
            {"detectors": {"mine": {"detector": "cvae", "sweep": {"latent": [0, 2], "kl_weight": [0, 1]}}}},
            ["detectors.mine.sweep.latent: "],
        ),
        ({"training": {"epochs": -1}, "only": ["dcae"]}, ["training.epochs: "]),
        (
            {"training": {"epochs": -1}, "regression": {"whole": {"training": {"batch_size": 0}}}},
            ["training.epochs: ", "regression.whole.training.batch_size: "],
        ),
    ],
)
def test_a_mistake_is_reported_once_where_it_was_written(config, written, places):
    lines = refused(laid_over(config, written)).splitlines()
    assert len(lines) == len(places), lines
    assert all(line.startswith(place) for line, place in zip(sorted(lines), sorted(places), strict=True))


def test_a_mistake_of_a_row_of_the_regression_is_reported_there(config):
    written = {"regression": {"a": {"training": {"epochs": -1}}}, "detectors": {"cvae": {"training": {"epochs": -1}}}}
    lines = refused(laid_over(config, written)).splitlines()
    places = {"regression.a.training.epochs", "detectors.cvae.training.epochs"}
    assert {line.partition(":")[0] for line in lines} == places


def test_a_mistake_that_two_rows_write_is_reported_for_both(config):
    lines = refused(laid_over(config, {"detectors": {"cvae": {"latent": 0}, "aae": {"latent": 0}}})).splitlines()
    assert {line.partition(":")[0] for line in lines} == {"detectors.cvae.latent", "detectors.aae.latent"}
