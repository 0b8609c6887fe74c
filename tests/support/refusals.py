"""What is wrong with a config."""

import pytest

from oddlens.config.study import parse_study
from oddlens.schema.config_errors import ConfigError


def refused(config) -> str:
    """The message with which a config is refused."""
    with pytest.raises(ConfigError) as error:
        parse_study(config)
    return str(error.value)
