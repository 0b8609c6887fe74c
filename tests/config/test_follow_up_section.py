"""The config section `follow_up`: errors name the key."""

import pytest

from oddlens.config.study import parse_study
from oddlens.schema.config_errors import ConfigError


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"model_x": {"row": "lensfit"}}, "follow_up: unknown data set 'model_x'. Known: model_a, model_b"),
        ({"model_a": {"row": "lensfits"}}, "follow_up.model_a.row: unknown row 'lensfits'."),
        ({"model_a": {"row": "lensfit", "lenses": 21}}, "follow_up.model_a.lenses"),
        ({"model_a": {"row": "lensfit", "live": 10}}, "follow_up.model_a.live"),
        ({"model_a": {}}, "follow_up.model_a.row"),
    ],
)
def test_errors_name_the_key(config, section, expected):
    with pytest.raises(ConfigError) as error:
        parse_study({**config, "follow_up": section})
    assert expected in str(error.value)


def test_a_data_set_beyond_the_fitted_models_is_refused(config):
    config["datasets"]["model_a"]["preset"] = "model_c"
    with pytest.raises(ConfigError, match=r"follow_up\.model_a: the data set has lens\.multipole_3, "):
        parse_study({**config, "follow_up": {"model_a": {"row": "lensfit"}}})


def test_there_is_no_follow_up_by_default(config):
    assert parse_study(config).follow_up == {}
