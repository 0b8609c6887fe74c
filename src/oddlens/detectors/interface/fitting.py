"""Train one model, keep it if it is there already, or resume its training: a recipe to a model file.

A model in the file is kept if its recipe is equal. A study with one more training set, or a job that was killed, trains
only what is missing.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.image_module import KnownCamera
from oddlens.detectors.interface.model_files import OtherFormat, read_model, save_model
from oddlens.files.artefacts import DamagedFile
from oddlens.files.progress import say
from oddlens.provenance.environment import code_version, processor, versions
from oddlens.training.devices import pick_device
from oddlens.training.objectives import Diverged

KNOWN_COLUMNS = ["noise_gain", "noise_background", "psf_fwhm_pixels"]
"""The columns of the truth that an observer knows, in the order of `KnownCamera`."""
WITHOUT_EFFECT = ["checkpoint_s"]
"""The training settings that change no result."""


@dataclass(frozen=True)
class TrainingData:
    """The arguments of `Detector.fit` that come from the data; `images` may be mapped from a file."""

    images: np.ndarray
    rows: np.ndarray
    camera: KnownCamera
    labels: np.ndarray | None = None
    known_anomalies: np.ndarray | None = None

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of the training images and of the known anomalies."""
        rows = {"images": self.rows, "known_anomalies": self.known_anomalies}
        return {name: digest(self.images, chosen) for name, chosen in rows.items() if chosen is not None}


@dataclass(frozen=True)
class Recipe:
    """What determines a model.

    Args:
        kind: the class of the detector.
        settings, simulation: the arguments of its constructor.
        training: the settings of the training.
        seed: of the initial weights and of the training.
        data: what it is trained on.
        description: is recorded with the model: at least its `row`, `dataset`, `training_set` and `seed`.
        finish: is called with the trained model before it is saved.
    """

    kind: type[Detector]
    settings: Mapping[str, Any]
    training: Mapping[str, Any]
    seed: int
    data: TrainingData
    description: Mapping[str, Any]
    simulation: dict[str, Any] | None = None
    finish: Callable[[Detector], None] | None = None

    @cached_property
    def about(self) -> dict[str, Any]:
        """The description, the training, the digests of the data, and the SHA-256 of the whole `recipe`."""
        training = {key: value for key, value in self.training.items() if key not in WITHOUT_EFFECT}
        about = {**self.description, "training": training, **self.data.digests}
        whole = [about, self.kind.__module__, dict(self.settings), self.simulation, self.seed]
        return about | {"recipe": hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()}

    @property
    def title(self) -> str:
        """The model in words."""
        return "{row} on {dataset}, {training_set}, seed {seed}".format(**self.description)

    def build(self) -> Detector:
        """The untrained detector."""
        pixels = self.data.images.shape[-1]
        return self.kind.build(pixels, seed=self.seed, simulation=self.simulation, **self.settings)


def fit_or_keep(path: Path, recipe: Recipe, device: str = "auto") -> dict[str, Any]:
    """Fit and save the model of a recipe, unless the file holds it already; returns its description.

    A training that diverges saves a model whose description has the reason in `diverged`.
    """
    torch.set_num_threads(1)
    kept = _kept(path, recipe)
    if kept is not None:
        say(f"{recipe.title}: kept, its recipe has not changed")
        return kept
    device, data = pick_device(device), recipe.data
    say(f"{recipe.title}: {len(data.rows)} images on {device}")
    model, diverged = recipe.build(), None
    try:
        losses = model.fit(
            data.images,
            seed=recipe.seed,
            rows=data.rows,
            labels=data.labels,
            known_anomalies=data.known_anomalies,
            camera=data.camera,
            device=device,
            training=recipe.training,
            on_epoch=lambda epoch: say(f"{recipe.description['training_set']}  {epoch}"),
            checkpoint=path.with_name(f".{path.stem}-{recipe.about['recipe'][:12]}.checkpoint"),
        )
        if recipe.finish:
            recipe.finish(model)
    except Diverged as error:
        diverged, losses = str(error), error.history
        say(f"{recipe.title}: diverged: {error}")
    about = recipe.about | {
        "losses": losses,
        "diverged": diverged,
        "code": code_version(),
        "versions": versions("torch", "numpy"),
        "device": torch.cuda.get_device_name() if device == "cuda" else processor(),
    }
    save_model(model, path, **about)
    return about


def remove_checkpoints(path: Path) -> None:
    """Remove the checkpoints of the model in a file."""
    for checkpoint in path.parent.glob(f".{path.stem}-*.checkpoint"):
        checkpoint.unlink()


def known_camera(truth: pd.DataFrame) -> KnownCamera:
    """The camera of images with this truth: the median of each known column."""
    return KnownCamera(*truth[KNOWN_COLUMNS].median())


def digest(images: np.ndarray, rows: np.ndarray) -> str:
    """The SHA-256 of some images, read in parts."""
    sha = hashlib.sha256()
    for part in np.array_split(rows, -(-len(rows) // 1000)):
        sha.update(images[part].tobytes())
    return sha.hexdigest()


def _kept(path: Path, recipe: Recipe) -> dict[str, Any] | None:
    """The description of the model in a file, if the file is undamaged and its recipe equal."""
    try:
        about = read_model(path)[1]["about"]
    except (FileNotFoundError, DamagedFile, OtherFormat):
        return None
    return about if about.get("recipe") == recipe.about["recipe"] else None
