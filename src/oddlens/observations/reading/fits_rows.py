"""Images of a large FITS file that stay in it until they are needed: planes of a cube, or cells of a column."""

import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits

from oddlens.observations.reading.stored_arrays import read_errors

MIN_BYTES = 2**26
"""Smaller cubes and columns are read at once, which is faster."""
BLOCK_BYTES = 2880
"""FITS files consist of blocks of this size."""


class FitsRows:
    """The images [n, h, w] of an HDU, row 0 at the top. They are read when they are indexed, by a slice."""

    def __init__(self, path: Path, position: int, shape: tuple[int, int, int], column: str = "") -> None:
        """Find the images.

        Args:
            position: of the HDU.
            shape: [n, h, w], without the axes of length 1 in the file.
            column: of a table with an image in each row.
        """
        self._path, self._position, self._column = path, position, column
        self._file: fits.HDUList | None = None
        self.shape, self.ndim = shape, 3
        self.dtype = self[:1].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """All images."""
        return np.asarray(self[:], dtype)

    def __getitem__(self, indices: slice) -> np.ndarray:
        """Some of the images.

        Raises:
            ValueError: if the file is damaged.
        """
        # Warnings of headers are left out as in `fits_units`.
        with read_errors(self._path, "FITS"), warnings.catch_warnings(action="ignore"):
            return np.flip(self._rows(indices).reshape(-1, *self.shape[1:]), -2)

    def close(self) -> None:
        """Close the file; it is opened again if it is needed."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _rows(self, indices: slice) -> np.ndarray:
        if self._file is None:
            self._file = fits.open(self._path, memmap=False)
        hdu = self._file[self._position]
        if self._column:
            return _cells(hdu, self._column, range(self.shape[0])[indices])
        # Axes of length 1 stand at 0; `section` reads these planes alone, and scales them.
        return np.asarray(hdu.section[tuple(indices if side > 1 else 0 for side in hdu.shape[:-2])])


def _cells(hdu: fits.BinTableHDU, column: str, rows: range) -> np.ndarray:
    """Cells of successive rows, scaled: the rows are read as a table of their own, since `hdu.data` has all of them."""
    place, header, length = hdu.fileinfo(), hdu.header.copy(), hdu.header["NAXIS1"]
    header.update(NAXIS2=len(rows), PCOUNT=0)
    header.remove("THEAP", ignore_missing=True)
    place["file"].seek(place["datLoc"] + rows.start * length)
    content = place["file"].read(len(rows) * length)
    padding = bytes(-len(content) % BLOCK_BYTES)
    return np.array(fits.BinTableHDU.fromstring(header.tostring().encode("ascii") + content + padding).data[column])
