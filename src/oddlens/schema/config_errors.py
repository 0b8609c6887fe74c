"""Error messages for the config: the key, the value, what is allowed, and the nearest known name."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, get_args, get_origin

from pydantic import Discriminator, Tag, ValidationError

from oddlens.schema.section import Section

MAX_LEVELS, MAX_ENTRIES, MAX_TEXT_LENGTH = 20, 1_000_000, 1000
"""Limits of a config: nested levels, entries in total, and characters of one text."""
MAX_SHOWN = 200
"""Characters of a value that a message shows."""
RENAMED = {
    "starts": "fit_convergence",
    "follow": "follow_up",
    "cells": "source_pixels",
    "cell_scatter": "source_pixel_scatter",
    "leftover": "lens_light_components",
    "places": "scan_side",
    "told": "label_loss",
    "tries": "library_tries",
}
"""Keys of earlier versions, and their names now."""


class ConfigError(ValueError):
    """An invalid config. The message has one line for each error."""


class ErrorCollector:
    """Collects config errors, so that they are raised together."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Keep a `ConfigError` that is raised inside, and go on after it."""
        try:
            yield
        except ConfigError as error:
            self._lines += str(error).splitlines()

    def raise_collected(self) -> None:
        """Raise all errors so far as one.

        Raises:
            ConfigError: if there were any.
        """
        if self._lines:
            raise ConfigError("\n".join(dict.fromkeys(self._lines)))


def shown(value: Any) -> str:
    """A value for a message, cut if it is long."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def must_be_plain(config: Any) -> None:
    """Refuse values that only YAML's tags, anchors and dates can make, so that all other code may rely on plain data.

    Raises:
        ConfigError: if a value is not a mapping with text keys, a list, one line of text, a float, a 64-bit integer,
            true, false or null, or if the config contains itself.
    """
    todo: list[tuple[tuple[str, ...], Any]] = [((), config)]
    for _ in range(MAX_ENTRIES):
        if not todo:
            return
        above, value = todo.pop()
        place = ".".join(above) or "the config"
        if len(above) > MAX_LEVELS:
            break
        if isinstance(value, dict):
            for key in value:
                if not _is_line(key) or not key:
                    raise ConfigError(f"{place}: its keys must be names (got {_shown_integer(key)})")
                if ":" in key:
                    name, _, rest = key.partition(":")
                    raise ConfigError(
                        f"{place}: '{key[:MAX_SHOWN]}' is one word for YAML, which needs a blank after the colon: "
                        f"{name}: {rest[:MAX_SHOWN]}"
                    )
            todo += [((*above, key), entry) for key, entry in value.items()]
        elif isinstance(value, list):
            todo += [((*above, str(k)), entry) for k, entry in enumerate(value)]
        elif not (value is None or isinstance(value, bool | float) or _is_line(value) or _is_integer(value)):
            raise ConfigError(
                f"{place}: must be a number, a line of text, true, false, null, a list or a mapping "
                f"(got {_shown_integer(value)})"
            )
    raise ConfigError(
        f"{'.'.join(above[:3])}: has more than {MAX_LEVELS} levels or {MAX_ENTRIES:,} entries: does it contain itself?"
    )


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and len(value) <= MAX_TEXT_LENGTH


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _shown_integer(value: Any) -> str:
    return "an integer of more than 64 bits" if isinstance(value, int) and not _is_integer(value) else shown(value)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known names, and the one that was probably meant."""
    known = [str(k) for k in known]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"Known: {', '.join(known)}." + (f" Did you mean '{close[0]}'?" if close else "")


def validated[S: Section](model: type[S], data: Any, where: str = "", extra: Iterable[str] = ()) -> S:
    """Validate data as a section.

    Args:
        model: the class of the section.
        data: the section as plain data.
        where: its place in the config, for messages.
        extra: keys that are allowed besides those of the model, for suggestions.

    Raises:
        ConfigError: all errors found.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [line for detail in error.errors() for line in _messages(model, detail, where, list(extra))]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from None


def _messages(model: type[Section], detail: Any, where: str, extra: list[str]) -> list[str]:
    """The lines about one error of pydantic."""
    location = [part for part in detail["loc"] if part != "[key]"]
    place = ".".join(str(part) for part in [where, *location] if part != "" and not _is_tag(part))
    inner = detail.get("ctx", {}).get("error")
    if isinstance(inner, ConfigError):  # of a section inside this one, or of sections that do not fit together
        return [".".join(filter(None, [place, line])) for line in str(inner).splitlines()]
    if detail["type"] == "extra_forbidden":
        return [f"{place}: {_unknown(str(location[-1]), [*_fields(model, location[:-1]), *extra])}"]
    if detail["type"] == "missing":
        return [f"{place}: missing; it has no default"]
    message, value = detail["msg"].removeprefix("Value error, "), detail["input"]
    has_value = isinstance(value, dict | Section) or repr(value) in message
    return [": ".join(filter(None, [place, message])) + ("" if has_value else f" (got {shown(value)})")]


def _unknown(key: str, known: list[str]) -> str:
    if RENAMED.get(key) in known:
        return f"this key was renamed to '{RENAMED[key]}'"
    first, *others = key.split(".")
    if others and first in known:
        nested = "".join(f"{{{part}: " for part in others) + "..." + "}" * len(others)
        return f"a key inside a section is nested: {first}: {nested}"
    return f"unknown key. {nearest(key, known)}"


def _is_tag(part: Any) -> bool:
    """Whether a part of pydantic's location is the tag of one kind of section among several, such as `[files]`."""
    return isinstance(part, str) and part.startswith("[")


def _fields(model: Any, location: list[Any]) -> list[str]:
    """The keys of the section at a place inside a model."""
    for part in location:
        fields = getattr(model, "model_fields", {})
        if _is_tag(part):
            kinds = get_args(get_args(model)[0])  # of Annotated[Annotated[A, Tag(...)] | ..., Discriminator(...)]
            model = next(kind for kind in kinds if Tag(part) in kind.__metadata__)
        else:
            model = fields[part].annotation if part in fields else get_args(model)[-1]  # else: a mapping or a list
        while get_origin(model) not in (None, dict, list) and not _has_kinds(model):  # Annotated[...]
            model = get_args(model)[0]
    return list(getattr(model, "model_fields", {}))


def _has_kinds(model: Any) -> bool:
    """Whether a type is one of several kinds of sections."""
    return any(isinstance(entry, Discriminator) for entry in getattr(model, "__metadata__", ()))
