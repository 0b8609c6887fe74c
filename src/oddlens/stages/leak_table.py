"""Collect the leaks of all data sets of the user's own images."""

from collections.abc import Iterable
from pathlib import Path

from oddlens.results.tables.leaks import leaks_table
from oddlens.results.tables.result_files import write_result


def leak_table(path: str | Path, paths: Iterable[str | Path]) -> None:
    """Write the table `leaks` from the files of `oddlens.stages.leaks`."""
    write_result(path, leaks_table(paths))
