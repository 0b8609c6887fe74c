"""Estimate the numbers of the regression: a model and the shards of test images to probabilities."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from oddlens.data import shards
from oddlens.files.progress import say
from oddlens.regression.estimates import Estimates
from oddlens.regression.saved import load_regressor
from oddlens.regression.targets import truth
from oddlens.training.devices import pick_device


def estimate(
    output: str | Path,
    *,
    model_path: str | Path,
    shard_paths: list[str],
    row: str,
    dataset: str,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Write the model's probabilities for all images of the shards, and the truth.

    Images of classes that the model was not trained on, which are variants, are left out.
    """
    torch.set_num_threads(threads)
    model, targets = load_regressor(model_path)
    with TemporaryDirectory() as scratch:
        pool = shards.read_all(shard_paths, scratch)
        known = pool.table["class"].isin(targets.classes).to_numpy()
        table, images = pool.table[known], pool.images if known.all() else pool.images[known]
        *numbers, types = model.to(pick_device(device)).probabilities(images)
    say(f"{len(types)} images of {dataset} estimated by {row}")
    names = list(targets.scales)
    Estimates(
        dataset,
        row,
        targets.classes,
        table["class"].map(targets.classes.index).to_numpy(),
        table["index"].to_numpy(),
        dict(zip(names, map(targets.densities, names, numbers), strict=True)),
        {target: truth(table, *target) for target in names},
        types,
        targets.prior,
    ).write(output)
