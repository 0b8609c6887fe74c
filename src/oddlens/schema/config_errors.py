"""Mistakes in the config, told so that they can be mended: the key, the value, what is allowed, the nearest name."""

import difflib
from collections.abc import Iterable
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from oddlens.schema.section import Section

DEEPEST, MOST_ENTRIES, LONGEST = 20, 1_000_000, 1000
"""A config has at most so many levels and entries, and its texts so many letters."""


class ConfigError(ValueError):
    """A mistake in the config; the message has one line for each."""


def shown(value: Any) -> str:
    """A value in a message: not more of it than a person wants to see."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def must_be_plain(config: Any) -> None:
    """Refuse what only YAML's tags, anchors and dates can make: everything else may rely on plain data.

    Raises:
        ConfigError: for what is neither a mapping from names, a list, a line of text, a float, an integer of 64 bits,
            true, false nor null; and for a config without end, which holds itself.
    """
    todo: list[tuple[tuple[str, ...], Any]] = [((), config)]
    for _ in range(MOST_ENTRIES):
        if not todo:
            return
        above, value = todo.pop()
        place = ".".join(above) or "the config"
        if len(above) > DEEPEST:
            break
        if isinstance(value, dict):
            for key in value:
                if not _is_line(key) or not key:
                    raise ConfigError(f"{place}: its keys must be names (got {_shortly(key)})")
            todo += [((*above, key), entry) for key, entry in value.items()]
        elif isinstance(value, list):
            todo += [((*above, str(k)), entry) for k, entry in enumerate(value)]
        elif not (value is None or isinstance(value, bool | float) or _is_line(value) or _is_integer(value)):
            raise ConfigError(
                f"{place}: must be a number, a line of text, true, false, null, a list or a mapping "
                f"(got {_shortly(value)})"
            )
    raise ConfigError(f"{'.'.join(above[:3])}: has no end, or is too large: does it hold itself?")


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and len(value) <= LONGEST


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _shortly(value: Any) -> str:
    return "an integer of more than 64 bits" if isinstance(value, int) and not _is_integer(value) else shown(value)


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
    return [": ".join(filter(None, [place, message])) + ("" if told else f" (got {shown(value)})")]


def _fields(model: Any, location: list[Any]) -> list[str]:
    """The keys of the section at a place inside a model."""
    for part in location:
        fields = getattr(model, "model_fields", {})
        model = fields[part].annotation if part in fields else get_args(model)[-1]  # else: a mapping or a list
        while get_origin(model) not in (None, dict, list):  # Annotated[...]
            model = get_args(model)[0]
    return list(getattr(model, "model_fields", {}))
