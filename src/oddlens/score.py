"""Score the test and validation images with all models of one detector: shards and models to a table."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from oddlens import detectors, shards, splits
from oddlens.artefacts import write_arrays, write_table
from oddlens.progress import Progress, say
from oddlens.training import pick_device

EXAMPLES = 2
"""Twins whose images go into the gallery."""


def score(
    model_paths: list[str],
    shard_paths: list[str],
    table_path: str | Path,
    examples_path: str | Path,
    *,
    row: str,
    dataset: str,
    smooth: str,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Write the table of scores, and examples of what the first model makes of some test images.

    The table has a row per image (`pool`, `class`, `index`) and a column per model (`<cell>/<seed>`). The examples are
    arrays [class, example, pixels, pixels]: `images`, and `reconstructions` if the detector has such an idea.
    """
    torch.set_num_threads(threads)
    pool = shards.read_all(shard_paths)
    table = pd.DataFrame({name: pool.arrays[name] for name in splits.IDENTITY})
    classes = [smooth, *sorted(set(pool.arrays["class"]) - {smooth})]
    test = pool.arrays["pool"] == "test"
    chosen = np.stack(
        [np.flatnonzero(test & (pool.arrays["class"] == c))[:EXAMPLES] for c in classes]
    )  # [class, example]
    examples = {"images": pool.images[chosen]}
    progress = Progress(len(model_paths) * len(table))
    for path in model_paths:
        model, about = detectors.load(path)
        model.to(pick_device(device))
        table[f"{about['cell']}/{about['seed']}"] = model.score(pool.images)
        if path == model_paths[0]:
            rebuilt = model.reconstructed(pool.images[chosen.ravel()])
            if rebuilt is not None:
                examples["reconstructions"] = rebuilt.reshape(examples["images"].shape)
        progress.advance(len(table))
        say(f"{row} on {dataset}, {about['cell']}, seed {about['seed']}: {len(table)} images scored, {progress}")
    write_table(table_path, table, kind="scores", dataset=dataset, detector=row)
    write_arrays(examples_path, examples, dataset=dataset, detector=row, classes=",".join(classes))
