"""The config section `detection`: defaults, and errors that name the key."""

import pytest

from oddlens.config.study import parse_study
from oddlens.schema.config_errors import ConfigError


def test_defaults_are_in_the_study(config):
    assert parse_study(config).plain()["detection"] == {
        "false_alarm_rates": [0.1, 0.01, 0.001],
        "mass_bins_per_decade": 2,
        "localised_arcsec": 0.2,
    }


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"false_alarm_rates": [0.01, 0.1]}, "descending order without repetitions: write [0.1, 0.01]"),
        ({"false_alarm_rates": [0.1, 0.1]}, "write [0.1]"),
        ({"false_alarm_rates": [0.1, 0]}, "detection.false_alarm_rates"),
        ({"false_alarm_rates": []}, "detection.false_alarm_rates"),
        ({"false_alarm_rates": [0.9]}, "detection.false_alarm_rates"),
        ({"mass_bins_per_decade": 0}, "detection.mass_bins_per_decade"),
        ({"localised_arcsec": 0}, "detection.localised_arcsec"),
        ({"localised": 1}, "detection.localised"),
    ],
)
def test_errors_name_the_key(config, section, message):
    config["detection"] = section
    with pytest.raises(ConfigError) as error:
        parse_study(config)
    assert "detection" in str(error.value)
    assert message in str(error.value)
