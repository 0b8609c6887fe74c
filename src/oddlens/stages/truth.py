"""Collect the truth of the test and validation images: shards to a table without pixels."""

from pathlib import Path
from typing import Any

import pandas as pd

from oddlens.data import shards
from oddlens.files.artefacts import write_table


def truth(path: str | Path, shard_paths: list[str], dataset: str) -> None:
    """Write a line for each image: `pool`, `class`, `index`, truth and names in the shards, and the text of a sheet."""
    tables: list[pd.DataFrame] = []
    text: dict[str, None] = {}
    for shard in map(shards.read, shard_paths):
        tables.append(shard.table)
        text |= dict.fromkeys([*shard.group("sheet"), *shard.group("names")])
    about: dict[str, Any] = {"text": list(text)} if text else {}
    write_table(path, shards.joined(tables), kind="truth", dataset=dataset, **about)
