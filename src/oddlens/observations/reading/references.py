"""References to images: a file, a part of it, and one of several images in that part.

lens.fits               the file
lens.fits#SCI           the extension SCI of a FITS file, or the data set SCI of an HDF5 file
lens.fits#SCI,2         its second version (EXTVER = 2)
lens.fits#3             HDU 3 of a FITS file, counted from 0 as in astropy, if no extension has that name
stamps.npy[17]          the image with index 17
lens.fits#SCI[0]        the first image of the cube SCI
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PATTERN = re.compile(r"(?P<path>.+?)(?:#(?P<unit>[^#\[\]]+))?(?:\[(?P<index>\d+)\])?", re.DOTALL)


@dataclass(frozen=True)
class Reference:
    """A file or folder, the name of a part (empty: all), and the index of an image (None: all)."""

    path: Path
    unit: str = ""
    index: int | None = None

    @classmethod
    def parse(cls, text: str | Path) -> Self:
        """Split a reference. A path that exists is taken as it is, whatever characters it has."""
        match = None if os.path.exists(text) else PATTERN.fullmatch(str(text))
        if match is None:
            return cls(Path(text))
        index = match["index"]
        return cls(Path(match["path"]), match["unit"] or "", None if index is None else int(index))

    def __str__(self) -> str:
        unit = f"#{self.unit}" if self.unit else ""
        return f"{self.path}{unit}" + ("" if self.index is None else f"[{self.index}]")
