"""Files next to an image: which of them belong to it, and which images a folder has, by the names of the files.

A file belongs to an image if their names agree apart from the words that say what they are (`unit_roles`): `lens.fits`
has `lens_rms.fits` and `lens_psf.npy`, `image.fits` has `noise.fits`. If a folder has a single image, `noise.fits` and
`psf.fits` belong to it, whatever its name. If it has several, they may share `psf.fits`, but no noise map or mask.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from oddlens.observations.reading.companion_arrays import ROLES
from oddlens.observations.reading.unit_roles import OTHER, PSF, Role, role_of

SUFFIXES = (".fits", ".fits.gz", ".fits.fz", ".fits.bz2", ".fit", ".fts", ".npy", ".h5", ".hdf5")
"""Endings of the files that are looked at."""
OTHER_SUFFIXES = (".npz", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
"""Further endings of images. Files next to an image with these endings do not belong to it."""
DATA_FILE = "data.fits"
"""The image of a folder that has one of this name."""


@dataclass(frozen=True)
class _Folder:
    """The files of a folder by their roles. A folder may have 100,000, so each is looked up, not searched for."""

    images: list[Path]
    """Files that may be images of lenses."""
    companions: dict[tuple[str, int], list[tuple[str, Path]]]
    """The kind and path of companions, by the band and version in their names."""

    def of(self, role: Role) -> list[tuple[str, Path]]:
        """The companions of an image: those with its name, then those without one."""
        own = self.companions.get((role.band, role.version), [])
        shared = [pair for (band, _), pairs in self.companions.items() if not band for pair in pairs]
        return own + [pair for pair in shared if pair not in own]


def images_of(folder: Path) -> list[Path]:
    """The files of a folder that may be images of lenses: data.fits, or all that are no companions by their names.

    Files whose names say that they are not observed, such as model.fits, are left out if there are others.

    Raises:
        FileNotFoundError: if there is none; the message has some of the names in the folder.
    """
    if (folder / DATA_FILE).is_file():
        return [folder / DATA_FILE]
    images = _folder(folder).images
    if not images:
        names = sorted(path.name for path in folder.iterdir())
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise FileNotFoundError(f"{folder} has no image ({' '.join(SUFFIXES)}). It has: {listed or 'nothing'}")
    return images


def companions_of(path: Path) -> tuple[dict[str, list[Path]], list[Path]]:
    """The files next to an image that belong to it, by kind; and those that may belong to any image of the folder."""
    folder = _folder(path.parent)
    own = role_of(_stem(path))
    belonging: dict[str, list[Path]] = {}
    unclear: list[Path] = []
    for kind, other in folder.of(own):
        if other.name == path.name:
            continue
        role = role_of(_stem(other))
        same = (role.band, role.version) == (own.band, own.version)
        if same or len(folder.images) == 1 or kind == PSF:
            belonging.setdefault(kind, []).append(other)
        else:
            unclear.append(other)
    return {kind: _most_specific(files, own) for kind, files in belonging.items()}, unclear


def is_companion(path: Path) -> bool:
    """Whether a file is a noise map, PSF or mask by its name."""
    return _kind(role_of(_stem(path))) is not None


def _most_specific(files: Sequence[Path], own: Role) -> list[Path]:
    """Files with the name of the image, if there are any; else all."""
    return [file for file in files if role_of(_stem(file)).band == own.band] or list(files)


def _kind(role: Role) -> str | None:
    """Of which kind of companions a file is; None if it is none."""
    return next((kind for kind, roles in ROLES.items() if role.kind in roles), None)


def _stem(path: Path) -> str:
    name = path.name.lower()
    return path.name[
        : len(path.name) - max((len(s) for s in (*SUFFIXES, *OTHER_SUFFIXES) if name.endswith(s)), default=0)
    ]


def _folder(folder: Path) -> _Folder:
    return _listed(folder, folder.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _listed(folder: Path, modified: int) -> _Folder:
    """The files of a folder with the roles of their names; listed once, as many images may be in one folder."""
    with os.scandir(folder) as entries:
        files = sorted(folder / e.name for e in entries if e.name.lower().endswith(SUFFIXES) and e.is_file())
    images: list[Path] = []
    not_observed: list[Path] = []
    companions: dict[tuple[str, int], list[tuple[str, Path]]] = {}
    for path in files:
        role = role_of(_stem(path))
        if kind := _kind(role):
            companions.setdefault((role.band, role.version), []).append((kind, path))
        else:
            (not_observed if role.kind == OTHER else images).append(path)
    return _Folder(images or not_observed, companions)
