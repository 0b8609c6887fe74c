"""Estimate: a model and the shards of test images to probabilities."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from oddlens.data import shards
from oddlens.detectors.interface.base import read_model
from oddlens.files.progress import say
from oddlens.regression.estimates import Estimates
from oddlens.regression.network import Regressor
from oddlens.regression.targets import Targets, truth
from oddlens.training.loop import pick_device


def load(path: str | Path) -> tuple[Regressor, Targets]:
    """A saved model, and what it estimates."""
    tensors, header = read_model(path)
    model = Regressor.build(header["pixels"], **header["settings"])
    assert isinstance(model, Regressor)
    model.load_state_dict(tensors)
    return model.eval(), Targets.from_plain(header["about"]["targets"])


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
    """Write what the model says of all images of the shards, and what is true."""
    torch.set_num_threads(threads)
    model, targets = load(model_path)
    with TemporaryDirectory() as scratch:
        pool = shards.read_all(shard_paths, scratch)
        *numbers, types = model.to(pick_device(device)).estimated(pool.images)
    say(f"{len(types)} images of {dataset} estimated by {row}")
    names = list(targets.scales)
    Estimates(
        dataset,
        row,
        targets.classes,
        pool.table["class"].map(targets.classes.index).to_numpy(),
        pool.table["index"].to_numpy(),
        dict(zip(names, map(targets.densities, names, numbers), strict=True)),
        {target: truth(pool.table, *target) for target in names},
        types,
        targets.prior,
    ).write(output)
