"""How a sheet or a folder would be read as a data set of the user's own images."""

from collections.abc import Iterator
from pathlib import Path

from oddlens.config.files_dataset import Files
from oddlens.observations.lens_index import INDEX_SUFFIXES
from oddlens.observations.sample.sample import read_sample

SMALLEST_PIXELS = 8
"""Stands for the number of pixels, which is not needed to list images."""


def is_sheet(path: Path) -> bool:
    """Whether a path may be a sample sheet by its name."""
    return path.suffix.lower() in INDEX_SUFFIXES


def describe_sample(path: Path) -> tuple[str, bool]:
    """The images of each pool and class in some lines, and whether they can be a data set as they are.

    Images without a role are divided as with the master seed 0.
    """
    source = "sheet" if is_sheet(path) else "folder"
    files = Files.model_validate({source: str(path), "pixels": SMALLEST_PIXELS})
    try:
        sample = read_sample(files, 0, path.stem)
    except (OSError, ValueError) as error:
        return "\n".join(
            f"  {line}" for line in ("as a data set (datasets.<name>.files):", *_indented(str(error)))
        ), False
    lines = [f"as a data set (datasets.<name>.files): {len(sample.table):,} images"]
    for pool, classes in sample.pools.counts.items():
        counted = ", ".join(f"{count:,} {cls}" for cls, count in classes.items())
        lines += [f"  {pool}: {counted}"] if counted else []
    return "\n".join(f"  {line}" for line in (*lines, *_indented("\n".join(sample.notes)))), True


def _indented(text: str) -> Iterator[str]:
    yield from (f"  {line}" for line in text.splitlines())
