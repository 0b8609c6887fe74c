"""Arrays in NPZ files, mapped into memory: their images are read when they are needed.

A member that is stored as it is lies in the file like an NPY file. A compressed one is first unpacked into a temporary
file without a name. In both cases its checksum is verified, block by block.
"""

import math
import struct
import tempfile
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

BLOCK_BYTES = 2**20
LOCAL_HEADER = struct.Struct("<26xHH")
"""The header of a member in the archive, which ends with the lengths of its name and of its extra fields."""


class ArchivedArray:
    """An array of an NPZ file. It is mapped when it is first indexed."""

    def __init__(self, path: Path, entry: str, shape: tuple[int, ...], dtype: np.dtype, fortran: bool) -> None:
        """Name it.

        Args:
            entry: the name of its member.
            fortran: whether the first axis varies fastest.
        """
        self._path, self._entry, self._order = path, entry, "F" if fortran else "C"
        self.shape, self.dtype = shape, dtype
        self._values: np.ndarray | None = None

    def __getitem__(self, indices: Any) -> np.ndarray:
        """A part of it.

        Raises:
            OSError, ValueError, zipfile.BadZipFile, zlib.error: if the archive is damaged.
        """
        if self._values is None:
            self._values = self._mapped()
        return self._values[indices]

    def _mapped(self) -> np.ndarray:
        with zipfile.ZipFile(self._path) as archive, archive.open(self._entry) as member:
            about = archive.getinfo(self._entry)
            header = about.file_size - math.prod(self.shape) * self.dtype.itemsize
            if about.compress_type == zipfile.ZIP_STORED:
                _copy(member, None)
                with self._path.open("rb") as file:
                    file.seek(about.header_offset)
                    sizes = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
                offset = about.header_offset + LOCAL_HEADER.size + sum(sizes)
                return self._map(self._path, offset + header)
            with tempfile.TemporaryFile() as file:
                _copy(member, file)
                file.flush()
                return self._map(file, header)

    def _map(self, file: "Path | IO[bytes]", offset: int) -> np.ndarray:
        return np.memmap(file, self.dtype, "r", offset, self.shape, self._order)  # type: ignore[call-overload]


def _copy(member: IO[bytes], file: IO[bytes] | None) -> None:
    """Read a member to its end, at which its checksum is verified."""
    while block := member.read(BLOCK_BYTES):
        if file is not None:
            file.write(block)
