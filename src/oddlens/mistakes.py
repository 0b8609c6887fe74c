"""Mistakes in the config, told so that they can be mended: the key, the value, what is allowed, the nearest name."""

import difflib
from collections.abc import Iterable
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from oddlens.section import Section


class ConfigError(ValueError):
    """A mistake in the config; the message has one line for each."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known names, and which of them was probably meant."""
    known = [str(k) for k in known]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"Known: {', '.join(known)}." + (f" Did you mean '{close[0]}'?" if close else "")


def validated[S: Section](model: type[S], data: Any, where: str = "", extra: Iterable[str] = ()) -> S:
    """The data as a model. `where` is the place of the data in the config, `extra` are keys allowed beside the model's.

    Raises:
        ConfigError: all mistakes found.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [line for mistake in error.errors() for line in _explain(model, mistake, where, list(extra))]
        raise ConfigError("\n".join(lines)) from None


def _explain(model: type[Section], mistake: Any, where: str, extra: list[str]) -> list[str]:
    location = [part for part in mistake["loc"] if part != "[key]"]
    place = ".".join(str(part) for part in [where, *location] if part != "")
    inner = mistake.get("ctx", {}).get("error")
    if isinstance(inner, ConfigError):  # a section validated inside a section
        return [f"{place}.{line}" for line in str(inner).splitlines()]
    if mistake["type"] == "extra_forbidden":
        return [f"{place}: unknown key. {nearest(str(location[-1]), [*_fields(model, location[:-1]), *extra])}"]
    if mistake["type"] == "missing":
        return [f"{place}: missing; it has no default"]
    message, value = mistake["msg"].removeprefix("Value error, "), mistake["input"]
    told = isinstance(value, dict | Section) or repr(value) in message
    return [": ".join(filter(None, [place, message])) + ("" if told else f" (got {value!r})")]


def _fields(model: Any, location: list[Any]) -> list[str]:
    """The keys of the section at a place inside a model."""
    for part in location:
        fields = getattr(model, "model_fields", {})
        model = fields[part].annotation if part in fields else get_args(model)[-1]  # else: a mapping or a list
        while get_origin(model) not in (None, dict, list):  # Annotated[...]
            model = get_args(model)[0]
    return list(getattr(model, "model_fields", {}))
