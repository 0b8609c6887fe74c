"""The images of a file as references, and what the file says of each: nothing but headers and attributes is read.

An HDF5 file may hold an image in each data set, in groups of any depth. The names and attributes of its groups then say
to which object an image belongs, in which band it is, and of which class it is, as in the Roman Data Challenge: group
`images/strong_lens_00000001`, data set `exposure_00000001_F106`, attribute `substructure`.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from oddlens.observations.reading import array_scale, file_formats, fits_units, pictures, table_objects
from oddlens.observations.reading.array_axes import MIN_SIDE_PIXELS
from oddlens.observations.reading.array_files import ArrayFile
from oddlens.observations.reading.companion_arrays import ROLES
from oddlens.observations.reading.fits_units import FitsUnit
from oddlens.observations.reading.hdf5_files import DEFLECTOR_ONLY, LABEL_NAMES, SUBSTRUCTURE, Hdf5File
from oddlens.observations.reading.image_stacks import DEFAULT_READING, Reading
from oddlens.observations.reading.pixel_scale import pixel_scale
from oddlens.observations.reading.references import Reference
from oddlens.observations.reading.stored_arrays import DEFAULT_DATASET, USUAL_DATASETS, StoredArray, StoredImages
from oddlens.observations.reading.unit_roles import BAND, OTHER, role_of

TRUE, FALSE = ("true", "1"), ("false", "0")
SMOOTH = "smooth"


@dataclass(frozen=True)
class ListedImages:
    """Images of one part of a file, and what the file says of them. Empty texts and None are not known."""

    reference: Reference
    """To the part: without an index, even if it has several images."""
    count: int = 1
    object: str = ""
    """The lens, by the name of the group; equal for its bands and exposures."""
    band: str = ""
    label: str = ""
    """`substructure`, `smooth` or `deflector_only` by the attributes of the Roman Data Challenge, else their text."""
    pixel_scale_arcsec: float | None = None
    objects: tuple[str, ...] = ()
    """The object of each image of a table, by its column of identifiers."""
    note: str = ""

    def each(self) -> list[Reference]:
        """A reference to each image."""
        if self.count == 1:
            return [self.reference]
        return replace(self.reference, index=0, stop=self.count).each()


def list_images(
    reference: str | Path | Reference, reading: Reading = DEFAULT_READING, band: str = ""
) -> Iterator[ListedImages]:
    """The images of a file, or of a part of it; an HDF5 group is a part, too.

    Data sets of an HDF5 file that belong to images by their names, such as `psf` or `mask`, are left out.

    Args:
        reference: an index of it is not used.
        reading: how the images will be read.
        band: only the images of this band, of a file that has several.

    Raises:
        FileNotFoundError, ValueError: if the file is missing or unsuitable, or if it has no image.
    """
    chosen = Reference.parse(reference).whole
    file_format = file_formats.detect(chosen.path, reading.pictures)
    if file_format == "FITS":
        listed = _units(chosen, reading)
    elif file_format in pictures.FORMATS:
        listed = iter([ListedImages(chosen, pixel_scale_arcsec=reading.pixel_scale_arcsec)])
    else:
        listed = _arrays(chosen, file_format, reading, band)
    return (images for images in listed if not band or images.band == band)


def _units(chosen: Reference, reading: Reading) -> Iterator[ListedImages]:
    """The science units of a FITS file."""
    units = fits_units.read(chosen.path, pixels=False)
    wanted = [fits_units.named(units, chosen)] if chosen.unit else fits_units.science_units(chosen.path, units)
    for unit in wanted:
        problem = unit.problem or (fits_units.spectral_problem(unit) if reading.channel is None else "")
        if problem or unit.images is None:
            raise ValueError(f"{chosen.path}#{unit.label}: {problem}")
        scale = pixel_scale(chosen.path, unit.header, reading.pixel_scale_arcsec, unit.primary, unit.cards)
        part = replace(chosen, unit=chosen.unit or (unit.label if len(wanted) > 1 else ""))
        count = len(unit.images) if reading.channel is None else 1
        known, note = _objects(chosen.path, unit)
        yield ListedImages(part, count, "", unit.role.band, "", scale, known if count == len(known) else (), note)


def table_note(path: Path, unit: FitsUnit) -> str:
    """Which column of a table is read as the object; empty if it has none, or if the unit is no table."""
    return _objects(path, unit)[1]


def _objects(path: Path, unit: FitsUnit) -> tuple[tuple[str, ...], str]:
    is_table = unit.header.get("XTENSION") == "BINTABLE" and "ZIMAGE" not in unit.header
    return table_objects.objects(path, unit.position) if is_table else ((), "")


def _arrays(chosen: Reference, file_format: str, reading: Reading, band: str) -> Iterator[ListedImages]:
    """The array of an NPY, NPZ or HDF5 file, or the arrays in the groups of an HDF5 file."""
    with ArrayFile(chosen.path, file_format) as file:
        names = file.hdf5.names(chosen.unit) if file_format == "HDF5" else []
        several = len(names) > 1 and not any(name in USUAL_DATASETS for name in names)
        found = False
        if names and (chosen.unit or several):
            for listed in _of_names(file.hdf5, names, chosen, reading, band):
                found = True
                yield listed
        if not found and not band:
            yield _listed(file.array(chosen.unit or reading.dataset), chosen, reading)


def parts(file: Hdf5File, chosen: Reference, reading: Reading) -> Iterator[Reference]:
    """The data sets with images of an open file that has them in groups, or of a group; else the reference itself."""
    names = [] if chosen.index is not None else file.names(chosen.unit)
    whole_file = not chosen.unit and reading.dataset == DEFAULT_DATASET and len(names) > 1
    found = False
    if names and (chosen.unit or (whole_file and all("/" in name for name in names))):
        for listed in _of_names(file, names, chosen, reading, ""):
            found = True
            yield listed.reference
    if not found:
        yield chosen


def _of_names(
    file: Hdf5File, names: list[str], chosen: Reference, reading: Reading, band: str
) -> Iterator[ListedImages]:
    """The images of data sets; of those whose names do not speak against it, if there are any."""
    found = False
    for candidates in _by_name(names):
        for listed in _in_groups(file, candidates, chosen, reading, band):
            found = True
            yield listed
        if found:
            return


def _by_name(names: list[str]) -> tuple[list[str], list[str]]:
    """The data sets that may be images by their names, and those that may be if these are none.

    The latter have names of what is not observed: exposures are images in some files, and times in most.
    """
    kinds = {name: role_of(posixpath.basename(name)).kind for name in names}
    others = [name for name in names if not any(kinds[name] in roles for roles in ROLES.values())]
    return [name for name in others if kinds[name] != OTHER], [name for name in others if kinds[name] == OTHER]


def _in_groups(
    file: Hdf5File, names: list[str], chosen: Reference, reading: Reading, band: str
) -> Iterator[ListedImages]:
    """The images of data sets in groups. An object is a group, named as briefly as all groups differ."""
    groups = {posixpath.dirname(name) for name in names}
    common = posixpath.commonpath([f"/{group}" for group in groups]) if groups else "/"
    for name in names:
        own_band = _band(posixpath.basename(name))
        if band and own_band != band:
            continue
        stored = file.array(name)
        if _may_be_images(stored):
            group = posixpath.relpath(f"/{posixpath.dirname(name)}", common)
            listed = _listed(stored, replace(chosen, unit=name), reading)
            yield replace(listed, object="" if group == "." else group, band=own_band)


def _may_be_images(stored: StoredArray) -> bool:
    """Whether an array has numbers and two long axes; bands may be the last."""
    return stored.values.dtype.kind in "iuf" and sum(side >= MIN_SIDE_PIXELS for side in stored.values.shape) > 1


def _listed(stored: StoredArray, reference: Reference, reading: Reading) -> ListedImages:
    if isinstance(reading.channel, str):
        raise ValueError(f"{reference} is no RGB picture: --channel must be the number of the band")
    scale = reading.pixel_scale_arcsec
    scale = array_scale.pixel_scale(stored.where, stored.attributes) if scale is None else scale
    single = len(stored.values.shape) == 2 and reading.channel is None  # is checked when it is read
    count = 1 if single else StoredImages(stored, reading.channel).shape[0]
    return ListedImages(reference, count, label=_label(stored.attributes), pixel_scale_arcsec=scale)


def _band(name: str) -> str:
    """The band at the end of a name, as `exposure_00000001_F106` has it; empty if there is none."""
    words = re.split(r"[^A-Z\d]+", name.upper())
    return words[-1] if len(words) > 1 and BAND.fullmatch(words[-1]) else ""


def _label(attributes: Mapping[str, Any]) -> str:
    """The class of an image by the attributes of its groups and itself; empty if they do not say it."""
    texts = {
        name.lower(): str(array_scale.first(value)).strip() for name, value in attributes.items() if np.size(value)
    }
    if texts.get(DEFLECTOR_ONLY, "").lower() in TRUE:
        return DEFLECTOR_ONLY
    substructure = texts.get(SUBSTRUCTURE, "").lower()
    if substructure in (*TRUE, *FALSE):
        return SUBSTRUCTURE if substructure in TRUE else SMOOTH
    return next((texts[name] for name in LABEL_NAMES if texts.get(name)), "")
