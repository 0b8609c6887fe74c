"""A sample: the user's own images with their pools and classes, read without any pixel.

Snakemake reads it when it plans its jobs, and each job of rule `ingest` again. It depends on the sheet or the names in
a folder, on the settings and on the seed alone.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pandas as pd

from oddlens.config.files_dataset import Files
from oddlens.data.pools import POOLS, UNLABELLED, Pools
from oddlens.lensing.grids import SCALE_TOLERANCE
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.observations.reading.image_stacks import Reading
from oddlens.observations.reading.references import Reference
from oddlens.observations.sample import folder, roles, sheet
from oddlens.observations.sample.columns import COMPANIONS
from oddlens.observations.sample.mistakes import Mistakes
from oddlens.schema.config_errors import nearest

ENOUGH = {"train": 100, "validation": 100, "test": 10}
"""With fewer images of a class the numbers of a study say little, which is reported."""
MIN_VALIDATION, MIN_TEST = 2, 2


@dataclass(frozen=True)
class Sample:
    """The images of a data set.

    Attributes:
        table: a line for each image, in the order of pool, class and line: `pool`, `class`, `index`, `lens` (the number
            of its object), `line`, and the columns of the sheet.
        sheet: the sheet; None for a folder.
        notes: how the sheet or folder was read.
    """

    table: pd.DataFrame
    sheet: Path | None
    notes: tuple[str, ...]
    per_shard: int

    @cached_property
    def pools(self) -> Pools:
        """The numbers of images of each pool and class, `smooth` first and `unlabelled` last."""
        order = {SMOOTH: 0, UNLABELLED: 2}
        counts = {}
        for pool in POOLS:
            sizes = self.table.loc[self.table["pool"] == pool, "class"].value_counts()
            counts[pool] = {cls: int(sizes[cls]) for cls in sorted(sizes.index, key=lambda c: (order.get(c, 1), c))}
        return Pools(counts, SMOOTH, self.per_shard, "files")

    def shard(self, pool: str, cls: str, shard: int) -> pd.DataFrame:
        """The lines of the table of one shard."""
        first, count = self.pools.shard_range(pool, cls, shard)
        chosen = (self.table["pool"] == pool) & (self.table["class"] == cls)
        return self.table[chosen].iloc[first : first + count]


def read_sample(files: Files, seed: int, dataset: str, lists: Path | None = None) -> Sample:
    """The sample of a data set.

    Args:
        seed: the master seed, for images without a role.
        dataset: the name of the data set.
        lists: a folder in which the lists of images of large files are kept (`kept_lists`).

    Raises:
        OSError, ValueError: with all mistakes, one line each.
    """
    listed, path, notes = _listed(files, lists)
    source = files.path if path is None else str(path)
    listed = listed.assign(object=listed["object"].where(listed["object"] != "", listed["file"]))
    listed = roles.add_classes(listed, files.smooth)
    if path is None:
        listed, more = roles.folder_roles(listed)
        notes += more
    for column in (files.split.by, *files.nuisance):
        if column not in listed:
            raise ValueError(f"{source} has no column '{column}'. {nearest(column, listed.columns)}")
    mistakes = Mistakes()
    _check_repeats(source, listed, mistakes)
    table = roles.divide(listed, files.split, seed, dataset)
    roles.check_roles(source, table, mistakes)
    _check_scales(source, table, mistakes)
    mistakes.raise_all()
    table = _numbered(table)
    sample = Sample(table, path, tuple(notes), files.per_shard)
    _check_sizes(source, sample.pools)
    return Sample(table, path, (*notes, *_small(sample.pools)), files.per_shard)


def _listed(files: Files, lists: Path | None) -> tuple[pd.DataFrame, Path | None, list[str]]:
    """The images as they are listed, the sheet that lists them, and notes."""
    path = Path(files.sheet) if files.sheet else folder.sheet_in(Path(files.folder or ""))
    if path is None:
        reading = Reading(channel=files.channel, pictures=True)
        table, notes = folder.read_folder(Path(files.folder or ""), reading, lists)
        return table, None, notes
    table, notes = sheet.read_sheet(path)
    return table, path, [*notes, *([] if files.sheet else [f"the sheet {path.name} of the folder is used"])]


def _numbered(table: pd.DataFrame) -> pd.DataFrame:
    """The table sorted by pool, class and line, with the numbers of images and of their objects."""
    cls = table["class"].where(table["class"] != "", table["role"].map(lambda r: UNLABELLED if r == "test" else SMOOTH))
    table = table.assign(**{"class": cls}, pool=table["role"]).drop(columns="role")
    table = table.sort_values(["pool", "class", "line"], kind="stable", ignore_index=True)
    index = table.groupby(["pool", "class"]).cumcount()
    return table.assign(index=index, lens=pd.factorize(table["object"])[0])


def _check_repeats(source: str, table: pd.DataFrame, mistakes: Mistakes) -> None:
    repeated = table[table.duplicated("file", keep=False)]
    for file, images in repeated.groupby("file", sort=False):
        lines = ", ".join(str(line) for line in images["line"].head(4))
        mistakes.add(f"{source}, lines {lines}: {file} is listed {len(images)} times: an image has one row")


def _check_scales(source: str, table: pd.DataFrame, mistakes: Mistakes) -> None:
    scales = table["pixel_scale_arcsec"].dropna()
    if len(scales) and not 0 < scales.min() <= scales.max() <= (1 + SCALE_TOLERANCE) * scales.min():
        lines = table.loc[scales.index, "line"]
        first, last = lines.iloc[int(scales.argmin())], lines.iloc[int(scales.argmax())]
        mistakes.add(
            f"{source}: pixel_scale_arcsec is {scales.min():g} to {scales.max():g} (lines {first} and {last}); "
            "the images of a data set need one scale above 0: use a data set for each"
        )


def _check_sizes(source: str, pools: Pools) -> None:
    """Raise a ValueError if there are too few images for any number."""
    for pool, least in (("train", 2), ("validation", MIN_VALIDATION)):
        if (count := pools.count(pool, SMOOTH)) < least:
            raise ValueError(
                f"{source} has {count} images of role {pool}, at least {least} are needed: give more rows that role, "
                "or leave the role empty and raise files.split"
            )
    if not pools.classes("test"):
        raise ValueError(f"{source} has no images of role test: give rows that role, or raise files.split.test")
    few = {cls: pools.count("test", cls) for cls in pools.classes("test") if pools.count("test", cls) < MIN_TEST}
    for cls, count in few.items():
        raise ValueError(f"{source} has {count} test image of class {cls}, at least {MIN_TEST} are needed: add images")


def _small(pools: Pools) -> Iterable[str]:
    """Notes on classes with few images."""
    for pool, enough in ENOUGH.items():
        for cls in pools.classes(pool):
            if (count := pools.count(pool, cls)) < enough:
                yield f"{pool} has {count} images of class {cls}: numbers from fewer than {enough} are rough"


def input_files(table: pd.DataFrame) -> list[str]:
    """The different files of some images and of what belongs to them."""
    named = [table[column] for column in ("file", *COMPANIONS)]
    references = dict.fromkeys(name for column in named for name in column if name)
    return list(dict.fromkeys(map(_file_of, references)))


@cache
def _file_of(reference: str) -> str:
    """The file of a reference, which is looked for once: Snakemake asks for the files of each job several times."""
    return str(Reference.parse(reference).path)


def state(table: pd.DataFrame, files: Iterable[str]) -> str:
    """A digest of some lines and of the sizes and times of their files: it changes when the images may have."""
    sha = hashlib.sha256(table.drop(columns=["line"]).to_csv(index=False).encode("utf-8", "surrogateescape"))
    for file in files:
        about = os.stat(file)
        sha.update(f"{file} {about.st_size} {about.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return sha.hexdigest()
