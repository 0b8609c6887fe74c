"""Arrays in NPZ files whose images are read when they are needed.

A member that is stored as it is lies in the file like an NPY file. A compressed one is first unpacked, into a temporary
file if it is large. In both cases its checksum is verified, block by block.
"""

import math
import shutil
import struct
import tempfile
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

BLOCK_BYTES = 2**20
MEMORY_BYTES = 2**26
"""Larger members are unpacked into a temporary file."""
LOCAL_HEADER = struct.Struct("<26xHH")
"""The header of a member in the archive, which ends with the lengths of its name and of its extra fields."""


class ArchivedArray:
    """An array of an NPZ file. Its checksum is verified when it is first indexed."""

    def __init__(self, path: Path, entry: str, shape: tuple[int, ...], dtype: np.dtype, fortran: bool) -> None:
        """Name it.

        Args:
            entry: the name of its member.
            fortran: whether the first axis varies fastest.
        """
        self._path, self._entry, self._fortran = path, entry, fortran
        self.shape, self.dtype = shape, dtype
        self._file: IO[bytes] | None = None
        self._offset = 0

    def close(self) -> None:
        """Close its file; what was read stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __getitem__(self, indices: Any) -> np.ndarray:
        """A part of it. Of a slice of the first axis no more is read.

        Raises:
            OSError, ValueError, zipfile.BadZipFile, zlib.error: if the archive is damaged.
        """
        if self._file is None:
            self._file, self._offset = self._opened()
        if self._fortran or not isinstance(indices, slice):
            order: Any = "F" if self._fortran else "C"
            values = np.memmap(self._file, self.dtype, "r", self._offset, self.shape, order)
            return values[indices]
        rows, length = range(self.shape[0])[indices], math.prod(self.shape[1:]) * self.dtype.itemsize
        if rows.step != 1:
            raise ValueError("rows must follow each other")
        self._file.seek(self._offset + rows.start * length)
        return np.frombuffer(self._file.read(len(rows) * length), self.dtype).reshape(len(rows), *self.shape[1:])

    def _opened(self) -> tuple[IO[bytes], int]:
        """The file with the numbers, and where they begin."""
        with zipfile.ZipFile(self._path) as archive, archive.open(self._entry) as member:
            about = archive.getinfo(self._entry)
            header = about.file_size - math.prod(self.shape) * self.dtype.itemsize
            if about.compress_type != zipfile.ZIP_STORED:
                unpacked = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115, as `close` closes it
                shutil.copyfileobj(member, unpacked, BLOCK_BYTES)
                return unpacked, header
            while member.read(BLOCK_BYTES):
                pass
        file = self._path.open("rb")
        file.seek(about.header_offset)
        sizes = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
        return file, about.header_offset + LOCAL_HEADER.size + sum(sizes) + header
