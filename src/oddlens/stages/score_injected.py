"""Score injected images with the models of one row after clean training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from oddlens.detectors.interface import loading
from oddlens.detectors.interface.capabilities import RESIDUAL_INPUTS, ProvidesResiduals
from oddlens.files.artefacts import DamagedFile, read_arrays, write_table
from oddlens.files.progress import say
from oddlens.training.devices import pick_device


def score_injected(
    path: str | Path,
    *,
    injected_path: str | Path,
    model_paths: Sequence[str],
    residuals: tuple[str, str] | None,
    row: str,
    trained: str,
    scoring: Mapping[str, Any],
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Write a table with a line for each mass and image (`mass_msun`, `index`, `lens`), and a column for each model.

    Columns are named as in tables of scores, `<training_set>/<seed>`. They are NaN if the training diverged.

    Args:
        injected_path: of `oddlens.stages.inject`.
        residuals: the kind of residual inputs and the model whose fits they come from; None if models get images.
        trained: the row that the models were trained for.
        scoring: the settings that only the score depends on.
    """
    torch.set_num_threads(threads)
    device = pick_device(device)
    arrays, about = read_arrays(injected_path)
    if about.get("kind") != "injected":
        raise DamagedFile(injected_path, "it is HDF5, but has no injected images")
    masses, count = arrays["images"].shape[:2]
    images = arrays["images"].reshape(masses * count, *arrays["images"].shape[2:])
    inputs = _residual_inputs(images, *residuals, device) if residuals else images
    columns = {"mass_msun": np.repeat(arrays["mass_msun"], count)}
    columns |= {name: np.tile(arrays[name], masses) for name in ("index", "lens")}
    diverged: dict[str, str] = {}
    for model_path in model_paths:
        model, trained_as = loading.load(model_path, **scoring)
        if (trained_as["row"], trained_as["dataset"]) != (trained, about["dataset"]):
            raise ValueError(f"{model_path} is of {trained_as['row']} on {trained_as['dataset']}, not of {trained}")
        name = f"{trained_as['training_set']}/{trained_as['seed']}"
        try:
            if trained_as["diverged"]:
                raise FloatingPointError(trained_as["diverged"])
            columns[name] = model.to(device).score(inputs)
        except FloatingPointError as error:
            columns[name], diverged[name] = np.full(len(inputs), np.nan), str(error)
        say(f"{row} on {about['dataset']}, {name}: {len(inputs)} injected images scored")
    counts = {"left_out": len(arrays["left_out"]), "ring_models": int(np.sum(arrays["model/kind"] == b"ring"))}
    about = {"dataset": about["dataset"], "detector": row}
    write_table(path, pd.DataFrame(columns), kind="injected_scores", **about, **counts, diverged=diverged)


def _residual_inputs(images: np.ndarray, kind: str, fitting_model: str, device: str) -> np.ndarray:
    """The residual inputs of images."""
    model = loading.load(fitting_model)[0].to(device)
    assert isinstance(model, ProvidesResiduals)
    return model.residual_inputs(images)[:, RESIDUAL_INPUTS.index(kind)]
