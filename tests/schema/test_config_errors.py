"""Messages about configs: suggestions, renamed keys, and errors that are collected."""

from typing import Annotated

import pytest
from pydantic import Field

from oddlens.schema.config_errors import ConfigError, ErrorCollector, nearest, validated
from oddlens.schema.section import Section


class Inner(Section):
    width: Annotated[int, Field(gt=0)] = 1
    fit_convergence: int = 1


class Outer(Section):
    inner: Inner = Inner()


def message(data, **more):
    with pytest.raises(ConfigError) as error:
        validated(Outer, data, **more)
    return str(error.value)


def test_nothing_is_suggested_when_no_name_is_near():
    assert "Did you mean" not in nearest("xyz", ["aae", "cvae"])
    assert "Did you mean 'aae'?" in nearest("aea", ["aae", "cvae"])


def test_an_unknown_key_is_reported_with_its_place_and_the_nearest_known_key():
    assert message({"inner": {"widht": 1}}, where="a.b") == (
        "a.b.inner.widht: unknown key. Known: width, fit_convergence. Did you mean 'width'?"
    )
    assert "Known: inner, extra." in message({"x": 1}, extra=["extra"])


def test_a_key_of_an_earlier_version_is_reported_with_its_name_now():
    assert message({"inner": {"starts": 3}}) == "inner.starts: this key was renamed to 'fit_convergence'"
    assert "unknown key" in message({"starts": 3}), "the section never had it"


def test_all_errors_are_reported_with_the_values_that_were_given():
    first, second = message({"inner": {"width": -1, "fit_convergence": "many"}}).splitlines()
    assert first.startswith("inner.width: ")
    assert first.endswith("(got -1)")
    assert second.startswith("inner.fit_convergence: ")
    assert second.endswith("(got 'many')")


def test_collected_errors_are_raised_together_and_once():
    errors = ErrorCollector()
    errors.raise_collected()
    for text in ("a", "b\nc", "a"):
        with errors.collecting():
            raise ConfigError(text)
    with pytest.raises(ConfigError) as found:
        errors.raise_collected()
    assert str(found.value) == "a\nb\nc"
    with pytest.raises(ZeroDivisionError), errors.collecting():
        _ = 1 / 0
