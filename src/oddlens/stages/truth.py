"""Collect the truth of the test and validation images: shards to a table without pixels."""

from pathlib import Path

import pandas as pd

from oddlens.data import shards
from oddlens.files.artefacts import write_table


def truth(path: str | Path, shard_paths: list[str], dataset: str) -> None:
    """Write a line for each image: `pool`, `class`, `index`, and the truth in the shards."""
    tables = [shards.read(shard).table for shard in shard_paths]
    write_table(path, pd.concat(tables, ignore_index=True).fillna(0), kind="truth", dataset=dataset)
