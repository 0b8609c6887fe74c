"""The PSF, the noise map and the mask of an image: as the user names them, in its own file, or in files next to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np

from oddlens.observations.reading import fits_units, neighbours
from oddlens.observations.reading.companion_arrays import ROLES, from_file, from_unit, of_scale
from oddlens.observations.reading.fits_units import FitsUnit
from oddlens.observations.reading.references import Reference
from oddlens.observations.reading.unit_roles import MASK, PSF, SCIENCE

TITLES = {"psf": "PSF", "noise": "Noise map", "mask": "Mask"}


@dataclass(frozen=True)
class Companions:
    """What belongs to an image, or to images of one shape."""

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    """PSF, noise map and mask (true where not to be used), [h, w], or [n, h, w] with one for each image."""
    notes: tuple[str, ...] = ()
    """Sentences that say where they are from, and what is not used."""

    def of_image(self, k: int, count: int) -> dict[str, np.ndarray]:
        """The arrays [h, w] of image `k` of `count`.

        Raises:
            ValueError: if there is neither one array for all images nor one for each.
        """
        self._check(count)
        return {kind: array[k] if array.ndim == 3 else array for kind, array in self.arrays.items()}

    def of_images(self, indices: range, count: int) -> dict[str, np.ndarray]:
        """The arrays of some of `count` images, [h, w], or [n, h, w] with one for each image; of one image [h, w].

        Raises:
            ValueError: if there is neither one array for all images nor one for each.
        """
        if len(indices) == 1:
            return self.of_image(indices[0], count)
        self._check(count)
        part = slice(indices.start, indices.stop)
        return {kind: array[part] if array.ndim == 3 else array for kind, array in self.arrays.items()}

    def _check(self, count: int) -> None:
        for kind, array in self.arrays.items():
            if array.ndim == 3 and len(array) != count:
                raise ValueError(f"there are {count} images, but its {kind} has {len(array)} planes: they must agree")

    def with_noise(self, noise: np.ndarray) -> Self:
        """The same with a noise map that was calculated from the background and the exposure time in the file."""
        notes = (*self.notes, "Noise map: from the background and the exposure time in the file.")
        return replace(self, arrays={**self.arrays, "noise": noise}, notes=notes)


def find(
    path: Path,
    scale_arcsec: float | None,
    named: Mapping[str, Path | None],
    use_neighbours: bool = True,
    image: FitsUnit | None = None,
    units: Sequence[FitsUnit] = (),
) -> Companions:
    """The companions of an image.

    Args:
        path: the file of the image.
        scale_arcsec: its pixel scale, if known.
        named: references by kind. They override units of the file, which override files next to it.
        use_neighbours: whether files next to it are used.
        image, units: of a FITS file, the unit of the image, and all units.

    Raises:
        FileNotFoundError, ValueError: if one is missing or unsuitable.
    """
    belonging = [unit for unit in units if image and unit is not image and fits_units.belongs(unit, image, units)]
    files, unclear = neighbours.companions_of(path) if use_neighbours else ({}, [])
    arrays: dict[str, np.ndarray] = {}
    used: list[FitsUnit] = []
    notes: list[str] = []
    for kind in ROLES:
        own, near = _best_role(kind, belonging), files.get(kind, [])
        if reference := named.get(kind):
            arrays[kind], source = _from_file(kind, Reference.parse(reference), scale_arcsec)
        elif own:
            own = [of_scale(path, own, scale_arcsec)] if kind == PSF else own
            arrays[kind], source = _joined(kind, own, path), " and ".join(unit.label for unit in own)
            used += own
        elif len(near) == 1:
            arrays[kind], source = _from_file(kind, Reference(near[0]), scale_arcsec)
        else:
            unclear += near
            continue
        notes.append(f"{TITLES[kind]}: {source}.")
    if unclear:
        names = ", ".join(sorted({file.name for file in unclear}))
        notes.append(f"Not used, as it is not clear to which image they belong: {names} (--psf, --noise, --mask).")
    if image:
        notes.append(fits_units.unused(units, [*used, *(unit for unit in units if unit.role.kind == SCIENCE), image]))
    return Companions(arrays, tuple(note for note in notes if note))


def _from_file(kind: str, reference: Reference, scale_arcsec: float | None) -> tuple[np.ndarray, str]:
    """As `from_file`. A PSF is read once, as the images of a folder often share it."""
    if kind != PSF or not reference.path.is_file():
        return from_file(kind, reference, scale_arcsec)
    psf, source = _shared_psf(reference, scale_arcsec, reference.path.stat().st_mtime_ns)
    return psf.copy(), source


@lru_cache(maxsize=4)
def _shared_psf(reference: Reference, scale_arcsec: float | None, modified: int) -> tuple[np.ndarray, str]:
    return from_file(PSF, reference, scale_arcsec)


def _best_role(kind: str, units: Sequence[FitsUnit]) -> list[FitsUnit]:
    """The units of a kind: all masks, or those of the preferred role."""
    if kind == MASK:
        return [unit for unit in units if unit.role.kind in ROLES[kind]]
    by_role = ([unit for unit in units if unit.role.kind == role] for role in ROLES[kind])
    return next((found for found in by_role if found), [])


def _joined(kind: str, units: Sequence[FitsUnit], path: Path) -> np.ndarray:
    """The only array of a kind, or what one of several masks excludes."""
    arrays = [from_unit(kind, unit, path) for unit in units]
    if kind == MASK:
        return np.logical_or.reduce(np.broadcast_arrays(*arrays))
    if len(arrays) > 1:
        names = ", ".join(unit.label for unit in units)
        raise ValueError(f"{path} has several units for the {kind} of one image ({names}): choose one by --{kind}")
    return arrays[0]
