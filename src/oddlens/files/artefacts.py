"""Files that can be trusted: written under a temporary name and renamed, with a checksum that readers check."""

import glob
import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import psutil

from oddlens.files.io_errors import writing


class DamagedFile(ValueError):
    """A file that is not what was written under its name."""

    def __init__(self, path: Path | str, reason: str):
        super().__init__(f"{path} is damaged: {reason}. Delete it and run snakemake again; it will be made anew.")
        self.reason = reason


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path`; renamed to it if the block succeeds, removed if it fails.

    Raises:
        CannotWrite: if the disk is full, or writing is not allowed there. What was there before still is.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for left_behind in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            if not psutil.pid_exists(int(left_behind.suffixes[-2][1:])):  # its writer was killed
                left_behind.unlink(missing_ok=True)
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())  # on the disk before it carries its name
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


SEAL = 512
"""Bytes before the HDF5 of a file, which its readers pass over: they hold the checksum of all that follows."""


def write_arrays(path: Path | str, arrays: dict[str, np.ndarray], **about: str | int | float) -> None:
    """HDF5: arrays by name (with groups, `truth/flux`), what they are about as attributes, and a checksum in front."""
    with replacing(path) as temporary, _Enduring(temporary, "w+") as written:
        with h5py.File(written, "w", userblock_size=SEAL) as file:
            for name, array in sorted(arrays.items()):
                file.create_dataset(name, data=array)
            file.attrs.update(about)
        seal = _seal(written)
        written.seek(0)
        written.write(seal)
        if written.error:
            raise written.error


class _Enduring(io.FileIO):
    """A file that keeps its first error for later: HDF5, told that the disk is full, cannot close and crashes."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        try:
            while self.error is None and len(rest):
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = error
        return memoryview(data).nbytes

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size) if self.error is None else 0
        except OSError as error:
            self.error = error
            return 0


def read_arrays(path: Path | str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What `write_arrays` wrote.

    Its bytes are checked before HDF5 sees them: one that is wrong can make that library wait for ever.

    Raises:
        DamagedFile: if it is truncated, altered, or something else.
    """
    arrays: dict[str, np.ndarray] = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with open(path, "rb") as written:
        if written.read(SEAL) != _seal(written):
            raise DamagedFile(path, "its content does not agree with its checksum")
    with h5py.File(path, "r") as file:
        file.visititems(collect)
        return arrays, {k: v.item() if isinstance(v, np.generic) else v for k, v in file.attrs.items()}


def _seal(file: io.FileIO | io.BufferedReader) -> bytes:
    """The first block of an open file that has the checksum of all that follows it."""
    file.seek(SEAL)
    sha = hashlib.file_digest(file, "sha256").hexdigest()
    return f"oddlens sha256 {sha}\n".encode().ljust(SEAL, b"\0")


def write_table(path: Path | str, table: pd.DataFrame, **about: Any) -> None:
    """A CSV whose first line is a comment of JSON: what the table is about, and the checksum of that and of the rest.

    Read it elsewhere with `pandas.read_csv(path, comment="#")`. Floats have nine significant digits, which keeps every
    float32 apart.
    """
    body = table.to_csv(index=False, float_format="%.9g", lineterminator="\n")
    with replacing(path) as temporary:
        temporary.write_text(f"{_header(about, body)}\n{body}")


def read_table(path: Path | str, kind: str | None = None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A table of `write_table`, of a kind where one is expected, and what it says it is about.

    Raises:
        DamagedFile: if the content does not agree with its checksum, or is of another kind.
    """
    content = Path(path).read_bytes()
    try:
        first, _, body = content.decode().partition("\n")
        about = json.loads(first.removeprefix("# "))
        del about["sha256"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DamagedFile(path, "its first line holds no checksum") from None
    if first != _header(about, body):  # to the last blank, which says nothing
        raise DamagedFile(path, "its content does not agree with its checksum")
    if kind and about.get("kind") != kind:
        raise DamagedFile(path, f"it holds {about.get('kind')!r} where {kind} are expected")
    return pd.read_csv(StringIO(body)), about


def _header(about: dict[str, Any], body: str) -> str:
    sha = hashlib.sha256(f"{json.dumps(about, sort_keys=True)}\n{body}".encode()).hexdigest()
    return f"# {json.dumps({**about, 'sha256': sha}, sort_keys=True)}"
