"""Train one detector on all training sets of one seed: shards and splits to models.

A model already there is kept if its recipe is the one asked for, so that a study with one more contamination, or a
killed job, trains only what is missing. A training that diverges leaves a model that says so. With more threads than
one, models are trained side by side in processes of their own, on one GPU where there is one: small networks leave most
of it idle while Python prepares their next step.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed

from oddlens.data import shards, splits
from oddlens.data.randomness import torch_seed
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.base import Camera, Detector, OtherFormat, read_model
from oddlens.files.artefacts import DamagedFile, write_table
from oddlens.files.progress import say
from oddlens.provenance.environment import code, commit_in_words, processor, versions
from oddlens.training.checkpoints import History
from oddlens.training.loop import Diverged, pick_device

CAMERA = ["noise_gain", "noise_background", "psf_fwhm_pixels"]
"""The columns of truth that an observer knows; where they vary, a detector is told the median."""


def train(
    models: Mapping[str, str | Path],
    losses: str | Path,
    *,
    row: str,
    detector: str,
    settings: Mapping[str, Any],
    simulation: dict[str, Any] | None,
    training: Mapping[str, Any],
    input: str,
    labels: Mapping[str, int],
    dataset: str,
    shard_paths: list[str],
    split_path: str,
    smooth: str,
    seed: int,
    replica: int,
    source: str,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Train and save one model for each training_set of `models` (training_set to path), and write the table of their losses.

    Args:
        row: the name of the detector's row in the config.
        input: what the shards hold: images, or what is left of them (`oddlens.stages.residual_inputs`).
        simulation: of the data set, for a detector that knows lenses; None for all others.
        labels: of each class, how many images have their label told; none, for a detector that needs labels: all.
        smooth: the class that is normal.
        replica: the study's seed; the same for all training_sets, so that they start from equal weights.
        source: the fingerprint of the code, a part of the recipe.
        device: `auto` takes a GPU if there is one.
        threads: how many models are trained at once, each on one core.
    """
    kind, own_seed = loading.detector(detector), torch_seed(seed, "train", dataset, row, replica)
    with TemporaryDirectory() as scratch:
        pool = shards.read_all(shard_paths, scratch)
        place = pd.Series(pool.table.index, index=pd.MultiIndex.from_frame(pool.table[splits.IDENTITY]))
        table = splits.read(split_path)
        told = splits.told(table, labels)
        supervised = kind.needs == "labels"
        odd = place[list(told.itertuples(index=False, name=None))].to_numpy() if len(told) and not supervised else None
        trainings = []
        for training_set, path in models.items():
            members = told if supervised and len(told) else table.loc[table[training_set] == 1, splits.IDENTITY]
            rows = place[list(members.itertuples(index=False, name=None))].to_numpy()
            about: dict[str, Any] = {
                "row": row,
                "dataset": dataset,
                "training_set": training_set,
                "seed": replica,
                "input": input,
                "training": {k: v for k, v in training.items() if k != "checkpoint_s"},  # it changes no result
                "source": source,
                "images": digest(pool.images, rows),
            }
            if odd is not None:
                about["odd"] = digest(pool.images, odd)
            recipe = json.dumps([about, detector, dict(settings), simulation, own_seed], sort_keys=True)
            about["recipe"] = hashlib.sha256(recipe.encode()).hexdigest()
            trainings.append(
                delayed(trained)(
                    Path(path),
                    about,
                    partial(kind.build, pool.images.shape[-1], seed=own_seed, simulation=simulation, **settings),
                    images=pool.images,
                    rows=rows,
                    odd=odd,
                    labels=(members["class"] != smooth).to_numpy() if supervised else None,
                    camera=Camera(*pool.table.loc[rows, CAMERA].median()),
                    seed=own_seed,
                    training=training,
                    device=pick_device(device),
                )
            )
        made = Parallel(n_jobs=min(threads, len(trainings)))(trainings)
    history = [
        (training_set, name, k + 1, loss)
        for training_set, about in zip(models, made, strict=True)
        for name, means in sorted(about["losses"].items())  # the order in which a model that is kept has them
        for k, loss in enumerate(means)
    ]
    table = pd.DataFrame(history, columns=["training_set", "objective", "epoch", "loss"])
    devices = sorted({about["device"] for about in made})
    commits = sorted({commit_in_words(about["code"]) for about in made})
    write_table(losses, table, kind="losses", row=row, devices=devices, commits=commits)
    # Kept until here: Snakemake deletes the models of a job that failed, and the checkpoints bring them back.
    for path in models.values():
        clear_checkpoints(Path(path))


def trained(
    path: Path,
    about: dict[str, Any],
    build: Callable[[], Detector],
    then: Callable[[Detector], None] | None = None,
    **given: Any,
) -> dict[str, Any]:
    """What the model at `path` says of itself: one that is there already, or one that is fitted and saved now.

    Args:
        about: what is said of it; the `recipe` says whether one that is there will do.
        build: makes it, untrained.
        then: what becomes of it between training and saving, unless it diverged.
        given: to `Detector.fit`.
    """
    torch.set_num_threads(1)
    kept = _made(path, about["recipe"])
    if kept is not None:
        say(f"{_title(about)}: kept, nothing in its recipe has changed")
        return kept
    return _fit(build(), path, about, then, **given)


def _fit(
    model: Detector, path: Path, about: dict[str, Any], then: Callable | None, device: str, **given: Any
) -> dict[str, Any]:
    """Fit and save a model, and say so if it diverged; what it says of itself."""
    title, diverged = _title(about), None
    say(f"{title}: {len(given['rows'])} images on {device}")
    checkpoint = path.with_name(f".{path.stem}-{about['recipe'][:12]}.checkpoint")
    try:
        losses: History = model.fit(
            **given, device=device, on_epoch=lambda e: say(f"{about['training_set']}  {e}"), checkpoint=checkpoint
        )
        if then:
            then(model)
    except Diverged as error:
        diverged, losses = str(error), error.history
        say(f"{title}: diverged: {error}")
    about |= {
        "losses": losses,
        "diverged": diverged,
        "code": code(),
        "versions": versions("torch", "numpy"),
        "device": torch.cuda.get_device_name() if device == "cuda" else processor(),
    }
    model.save(path, **about)
    return about


def clear_checkpoints(path: Path) -> None:
    """Remove those of a model that its job is done with."""
    for checkpoint in path.parent.glob(f".{path.stem}-*.checkpoint"):
        checkpoint.unlink()


def _title(about: Mapping[str, Any]) -> str:
    return "{row} on {dataset}, {training_set}, seed {seed}".format(**about)


def digest(images: np.ndarray, rows: np.ndarray) -> str:
    """SHA-256 of some images, a few at a time."""
    sha = hashlib.sha256()
    for part in np.array_split(rows, -(-len(rows) // 1000)):
        sha.update(images[part].tobytes())
    return sha.hexdigest()


def _made(path: str | Path, recipe: str) -> dict[str, Any] | None:
    """What the model at `path` says of itself, if it is whole and of this recipe."""
    try:
        about = read_model(path)[1]["about"]
    except (FileNotFoundError, DamagedFile, OtherFormat):
        return None
    return about if about.get("recipe") == recipe else None
