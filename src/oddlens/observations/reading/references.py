"""References to images: a file, a part of it, and one or some of several images in that part.

lens.fits               the file
lens.fits#SCI           the extension SCI of a FITS file, or the data set SCI of an HDF5 file
lens.fits#SCI,2         its second version (EXTVER = 2)
lens.fits#3             HDU 3 of a FITS file, counted from 0 as in astropy, if no extension has that name
stamps.npy[17]          the image with index 17
stamps.npy[0:5000]      the images with the indices 0 to 4999
lens.fits#SCI[0]        the first image of the cube SCI
"""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

PATTERN = re.compile(r"(?P<path>.+?)(?:#(?P<unit>[^#\[\]]+))?(?:\[(?P<index>\d+)(?::(?P<stop>\d+))?\])?", re.DOTALL)


@dataclass(frozen=True)
class Reference:
    """A file or folder, the name of a part (empty: all), and the index of an image (None: all)."""

    path: Path
    unit: str = ""
    index: int | None = None
    stop: int | None = None
    """The index after the last image of a range that begins with `index`; None if there is no range."""

    @classmethod
    def parse(cls, text: "str | Path | Reference") -> "Reference":
        """Split a reference. A path that exists is taken as it is, whatever characters it has."""
        if isinstance(text, Reference):
            return text
        match = None if os.path.exists(text) else PATTERN.fullmatch(str(text))
        if match is None:
            return cls(Path(text))
        index, stop = (None if match[name] is None else int(match[name]) for name in ("index", "stop"))
        return cls(Path(match["path"]), match["unit"] or "", index, stop)

    @property
    def whole(self) -> Self:
        """The reference to all images of the part."""
        return replace(self, index=None, stop=None)

    @property
    def indices(self) -> range | None:
        """The indices of the images, if the reference has them; None for all images of the part.

        Raises:
            ValueError: if a range is empty.
        """
        if self.index is None:
            return None
        if self.stop is None:
            return range(self.index, self.index + 1)
        if self.stop <= self.index:
            raise ValueError(f"{self}: the range is empty: it must be [first:last + 1], for example [0:5000]")
        return range(self.index, self.stop)

    def each(self) -> list[Self]:
        """A reference to each image of a range; the reference itself if it has no range."""
        return [self] if self.stop is None else [replace(self, index=k, stop=None) for k in self.indices or ()]

    def __str__(self) -> str:
        unit = f"#{self.unit}" if self.unit else ""
        stop = "" if self.stop is None else f":{self.stop}"
        return f"{self.path}{unit}" + ("" if self.index is None else f"[{self.index}{stop}]")
