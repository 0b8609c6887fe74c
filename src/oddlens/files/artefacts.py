"""Files with checksums.

A file is written under a temporary name and renamed when complete. Readers verify the checksum.
"""

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

from oddlens.files.io_errors import explain_io_errors


class DamagedFile(ValueError):
    """The content of a file does not agree with its checksum, or the file is of another kind."""

    def __init__(self, path: Path | str, reason: str):
        super().__init__(f"{path} is damaged: {reason}. Delete it and run snakemake again to create it anew.")
        self.reason = reason


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Write a file completely or not at all.

    The block writes to the temporary path that it receives, in the folder of `path`. The temporary file is renamed to
    `path` if the block succeeds, and deleted if it fails; then a previous file at `path` is unchanged.

    Raises:
        CannotWrite: if the disk is full, or if writing is not allowed.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with explain_io_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            if not psutil.pid_exists(int(leftover.suffixes[-2][1:])):  # the process that wrote it was killed
                leftover.unlink(missing_ok=True)
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())  # on the disk before it is renamed
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


CHECKSUM_BLOCK_BYTES = 512
"""Size of the block before the HDF5 content; HDF5 skips it as a user block. It holds the checksum of the content."""


def write_arrays(path: Path | str, arrays: dict[str, np.ndarray], **about: str | int | float) -> None:
    """Write an HDF5 file with a checksum in front.

    Args:
        arrays: by name; a name may include a group, as in `truth/flux`.
        about: attributes of the file.
    """
    with atomic_write(path) as temporary, _DeferredErrorFile(temporary, "w+") as written:
        with h5py.File(written, "w", userblock_size=CHECKSUM_BLOCK_BYTES) as file:
            for name, array in sorted(arrays.items()):
                file.create_dataset(name, data=array)
            file.attrs.update(about)
        block = _checksum_block(written)
        written.seek(0)
        written.write(block)
        if written.error:
            raise written.error


class _DeferredErrorFile(io.FileIO):
    """A file that stores its first error instead of raising it: HDF5 crashes on closing a file on a full disk."""

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
    """The arrays and attributes that `write_arrays` wrote.

    The checksum is verified before HDF5 opens the file, because one wrong byte can make that library hang.

    Raises:
        DamagedFile: if the file is truncated, altered, or of another kind.
    """
    arrays: dict[str, np.ndarray] = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with open(path, "rb") as written:
        if written.read(CHECKSUM_BLOCK_BYTES) != _checksum_block(written):
            raise DamagedFile(path, "its content does not agree with its checksum")
    with h5py.File(path, "r") as file:
        file.visititems(collect)
        return arrays, {k: v.item() if isinstance(v, np.generic) else v for k, v in file.attrs.items()}


def _checksum_block(file: io.FileIO | io.BufferedReader) -> bytes:
    """The first block that an open file must have: the checksum of the bytes after that block."""
    file.seek(CHECKSUM_BLOCK_BYTES)
    sha = hashlib.file_digest(file, "sha256").hexdigest()
    return f"oddlens sha256 {sha}\n".encode().ljust(CHECKSUM_BLOCK_BYTES, b"\0")


def write_table(path: Path | str, table: pd.DataFrame, **about: Any) -> None:
    """Write a CSV file whose first line is a comment with JSON: `about` and the checksum of `about` and the table.

    Other programs read it with `pandas.read_csv(path, comment="#")`. Floats have nine significant digits, so different
    float32 numbers stay different. `text` in `about` names columns of text that may look like numbers, such as names of
    objects: `read_table` keeps them as they are.
    """
    body = table.to_csv(index=False, float_format="%.9g", lineterminator="\n")
    with atomic_write(path) as temporary:
        temporary.write_text(f"{_header(about, body)}\n{body}")


def read_table(path: Path | str, kind: str | None = None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table that `write_table` wrote, and its `about`.

    Args:
        kind: the `kind` that `about` must state, if one is expected.

    Raises:
        DamagedFile: if the content does not agree with its checksum, or if the table is of another kind.
    """
    content = Path(path).read_bytes()
    try:
        first, _, body = content.decode().partition("\n")
        about = json.loads(first.removeprefix("# "))
        del about["sha256"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DamagedFile(path, "its first line has no checksum") from None
    if first != _header(about, body):  # to the byte, including blanks
        raise DamagedFile(path, "its content does not agree with its checksum")
    if kind and about.get("kind") != kind:
        raise DamagedFile(path, f"it holds {about.get('kind')!r}, but {kind!r} is expected")
    text = dict.fromkeys(about.get("text", ()), str)
    return pd.read_csv(StringIO(body), dtype={"class": str}, converters=text), about  # a class may be called 7


def _header(about: dict[str, Any], body: str) -> str:
    sha = hashlib.sha256(f"{json.dumps(about, sort_keys=True)}\n{body}".encode()).hexdigest()
    return f"# {json.dumps({**about, 'sha256': sha}, sort_keys=True)}"
