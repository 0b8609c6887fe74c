"""Train one detector on all training sets of one seed: shards and splits to models.

A model already there is kept if its recipe is the one asked for, so that a study with one more contamination, or a
killed job, trains only what is missing.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from oddlens import detectors, shards, splits
from oddlens.artefacts import DamagedFile, digest, write_table
from oddlens.detectors.base import read_model
from oddlens.progress import say
from oddlens.provenance import versions
from oddlens.randomness import torch_seed
from oddlens.training import pick_device


def train(
    models: Mapping[str, str | Path],
    losses: str | Path,
    *,
    row: str,
    detector: str,
    settings: Mapping[str, Any],
    training: Mapping[str, Any],
    dataset: str,
    shard_paths: list[str],
    split_path: str,
    seed: int,
    replica: int,
    source: str,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Train and save one model for each cell of `models` (cell to path), and write the table of their losses.

    Args:
        row: the name of the detector's row in the config.
        replica: the study's seed; the same for all cells, so that they start from equal weights.
        source: the fingerprint of the code, a part of the recipe.
        device: `auto` takes a GPU if there is one.
    """
    torch.set_num_threads(threads)
    device = pick_device(device)
    pool = shards.read_all(shard_paths)
    identity = pd.MultiIndex.from_arrays([pool.arrays[name] for name in splits.IDENTITY])
    table = splits.read(split_path)
    place = pd.Series(range(len(identity)), index=identity)[
        list(table[splits.IDENTITY].itertuples(index=False, name=None))
    ]
    own_seed = torch_seed(seed, "train", dataset, row, replica)
    history: list[tuple] = []
    for cell, path in models.items():
        images = pool.images[place[table[cell].to_numpy() == 1].to_numpy()]
        about = {
            "row": row,
            "dataset": dataset,
            "cell": cell,
            "seed": replica,
            "training": {k: v for k, v in training.items() if k != "checkpoint_s"},  # it changes no result
            "source": source,
            "images": digest({"images": images}),
        }
        recipe = hashlib.sha256(
            json.dumps([about, detector, dict(settings), own_seed], sort_keys=True).encode()
        ).hexdigest()
        title = f"{row} on {dataset}, {cell}, seed {replica}"
        kept = _losses_of(path, recipe)
        if kept is not None:
            say(f"{title}: kept, nothing in its recipe has changed")
            history += _rows(cell, kept)
            continue
        say(f"{title}: {len(images)} images on {device}")
        model = detectors.detector(detector).build(pool.images.shape[-1], seed=own_seed, **settings)
        checkpoint = Path(path).with_name(f".{Path(path).stem}-{recipe[:12]}.checkpoint")
        found = model.fit(
            images,
            seed=own_seed,
            device=device,
            training=training,
            on_epoch=lambda e: say(f"  {e}"),
            checkpoint=checkpoint,
        )
        model.save(path, **about, recipe=recipe, losses=found, versions=versions("torch", "numpy"), device=device)
        history += _rows(cell, found)
    write_table(losses, pd.DataFrame(history, columns=["cell", "objective", "epoch", "loss"]), kind="losses", row=row)
    # Kept until here: Snakemake deletes the models of a job that failed, and the checkpoints bring them back.
    for path in models.values():
        for checkpoint in Path(path).parent.glob(f".{Path(path).stem}-*.checkpoint"):
            checkpoint.unlink()


def _losses_of(path: str | Path, recipe: str) -> dict[str, list[float]] | None:
    """The losses of the model at `path` if it is whole and of this recipe."""
    try:
        about = read_model(path)[1]["about"]
    except (FileNotFoundError, DamagedFile):
        return None
    return about["losses"] if about.get("recipe") == recipe else None


def _rows(cell: str, losses: Mapping[str, list[float]]) -> list[tuple[str, str, int, float]]:
    return [(cell, name, epoch + 1, loss) for name, values in losses.items() for epoch, loss in enumerate(values)]
