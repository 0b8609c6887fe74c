import inspect

import pytest

from oddlens.config import detector_registry
from oddlens.detectors.interface import loading


@pytest.mark.parametrize("name", detector_registry.detectors())
def test_settings_read_from_the_file_are_those_of_the_constructor(name):
    defaults = {}
    for cls in loading.detector(name).__mro__:
        arguments = inspect.signature(cls.__init__).parameters.values()
        defaults |= {a.name: a.default for a in arguments if a.kind is a.KEYWORD_ONLY}
        if not any(a.kind is a.VAR_KEYWORD for a in arguments):
            break
    assert detector_registry.detector_settings(name)().plain() == defaults
