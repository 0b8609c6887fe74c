"""Files next to an image: which of them belong to it, and which images a folder has, by the names of the files.

A file belongs to an image if their names agree apart from the words that say what they are (`unit_roles`): `lens.fits`
has `lens_rms.fits` and `lens_psf.npy`, `image.fits` has `noise.fits`. If a folder has a single image, `noise.fits` and
`psf.fits` belong to it, whatever its name. If it has several, they may share `psf.fits`, but no noise map or mask.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from oddlens.observations.reading.companion_arrays import ROLES
from oddlens.observations.reading.unit_roles import PSF, Role, role_of

SUFFIXES = (".fits", ".fits.gz", ".fits.fz", ".fits.bz2", ".fit", ".fts", ".npy", ".h5", ".hdf5")
"""Endings of the files that are looked at."""
DATA_FILE = "data.fits"
"""The image of a folder that has one of this name."""


def images_of(folder: Path) -> list[Path]:
    """The files of a folder that may be images of lenses: data.fits, or all that are no companions by their names.

    Raises:
        FileNotFoundError: if there is none; the message has some of the names in the folder.
    """
    if (folder / DATA_FILE).is_file():
        return [folder / DATA_FILE]
    images = [path for path, role in _files(folder) if not _is_companion(role)]
    if not images:
        names = sorted(path.name for path in folder.iterdir())
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise FileNotFoundError(f"{folder} has no image ({' '.join(SUFFIXES)}). It has: {listed or 'nothing'}")
    return images


def companions_of(path: Path) -> tuple[dict[str, list[Path]], list[Path]]:
    """The files next to an image that belong to it, by kind; and those that may belong to any image of the folder."""
    files = _files(path.parent)
    own = role_of(_stem(path))
    images = [other for other, role in files if not _is_companion(role)]
    belonging: dict[str, list[Path]] = {}
    unclear: list[Path] = []
    for other, role in files:
        if other.name == path.name or not _is_companion(role):
            continue
        kind = next(kind for kind, roles in ROLES.items() if role.kind in roles)
        if (role.band, role.version) == (own.band, own.version):
            belonging.setdefault(kind, []).append(other)
        elif not role.band:
            if len(images) == 1 or kind == PSF:
                belonging.setdefault(kind, []).append(other)
            else:
                unclear.append(other)
    return {kind: _most_specific(files, own) for kind, files in belonging.items()}, unclear


def is_companion(path: Path) -> bool:
    """Whether a file is a noise map, PSF or mask by its name."""
    return _is_companion(role_of(_stem(path)))


def _most_specific(files: Sequence[Path], own: Role) -> list[Path]:
    """Files with the name of the image, if there are any; else all."""
    return [file for file in files if role_of(_stem(file)).band == own.band] or list(files)


def _is_companion(role: Role) -> bool:
    return any(role.kind in roles for roles in ROLES.values())


def _stem(path: Path) -> str:
    name = path.name.lower()
    return path.name[: len(path.name) - max((len(s) for s in SUFFIXES if name.endswith(s)), default=0)]


def _files(folder: Path) -> Sequence[tuple[Path, Role]]:
    return _listed(folder, folder.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _listed(folder: Path, modified: int) -> Sequence[tuple[Path, Role]]:
    """The files of a folder with the roles of their names; listed once, as many images may be in one folder."""
    files = sorted(path for path in folder.iterdir() if path.name.lower().endswith(SUFFIXES) and path.is_file())
    return [(path, role_of(_stem(path))) for path in files]
