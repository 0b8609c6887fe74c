"""Files that a command writes, checked before its work begins, and its terminal."""

import argparse
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

from oddlens.files.names import shown_name

READER_LEFT = 128 + signal.SIGPIPE
"""The usual status of a program whose output nobody reads any more, as of `oddlens score ... | head`."""


def output_file(text: str) -> Path:
    """An argument that names a file to write: it is no folder and no device, and its folder exists and is writable."""
    from oddlens.files.io_errors import CannotWrite, check_writable

    path = Path(text)
    if path.is_dir() or text.endswith("/"):
        raise argparse.ArgumentTypeError(f"{shown_name(text)} is a folder: name a file in it")
    if path.is_relative_to("/dev") or (path.exists() and not path.is_file()):
        raise argparse.ArgumentTypeError(f"{shown_name(text)} is a device: name a file")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{shown_name(text)}: there is no folder {shown_name(path.parent)}")
    try:
        check_writable(path)
    except CannotWrite as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return path


def refuse_overwriting(outputs: Mapping[str, Path | None], inputs: Iterable[Path | None]) -> None:
    """Refuse outputs, by their options, that are one file, or a file that the command reads.

    Raises:
        ValueError: if there is one.
    """
    taken = {path.resolve(): "a file that is read" for path in inputs if path is not None}
    for option, path in outputs.items():
        if path is not None and path.resolve() in taken:
            raise ValueError(f"{option} {shown_name(path)} is {taken[path.resolve()]}, too: name another file")
        if path is not None:
            taken[path.resolve()] = f"that of {option}"


def print_anything() -> None:
    """Let the terminal show characters that it does not have as escapes, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def close_outputs() -> None:
    """Send what is still unwritten to nowhere, because nobody reads it: Python would fail to write it at its end."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
