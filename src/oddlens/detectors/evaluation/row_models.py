"""The trained models of a row, with their scores of simulated images as a reference for other images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oddlens.detectors.interface import loading
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.capabilities import RESIDUAL_INPUTS, ProvidesResiduals
from oddlens.files.artefacts import read_table
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.statistics import metrics
from oddlens.training.devices import pick_device


@dataclass(frozen=True)
class RowModel:
    """A trained model of a row, and its scores of simulated images."""

    row: str
    seed: int
    model: Detector
    fitter: ProvidesResiduals | None
    """The model that makes the residual inputs; None if the row takes images."""
    residual_input: int
    """The position of the row's input in `RESIDUAL_INPUTS`."""
    smooth_scores: np.ndarray
    """Scores of smooth validation images, [n]."""
    test_scores: pd.DataFrame
    """Scores of test images: `class`, `index`, `score`."""
    decoys: tuple[str, ...] = ()
    """The classes of test images that are no anomalies, besides the smooth one."""

    def scores_and_findings(self, images: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Scores and findings of images [n, pixels, pixels].

        Raises:
            ValueError: the row takes residuals, and no lens fits any of the images.
        """
        if self.fitter is None:
            return self.model.scores_and_findings(images)
        inputs = self.fitter.residual_inputs(images)[:, self.residual_input]
        if not inputs.any():
            raise ValueError(
                f"{self.row} takes residuals, and the fit of a smooth lens converged for none of {len(images)} images, "
                "so they have none: see `doubtful` of the row that fits lenses"
            )
        return self.model.scores_and_findings(inputs)

    def auc(self) -> float:
        """The AUC of all anomalies among the test images against the smooth ones."""
        smooth, decoy = (self.test_scores["class"].isin(classes) for classes in ([SMOOTH], self.decoys))
        normal, anomalous = (self.test_scores[chosen]["score"].to_numpy(float) for chosen in (smooth, ~smooth & ~decoy))
        return float(metrics.placements(normal, anomalous)[0].mean())

    def scores_of(self, classes: Sequence[str], index: np.ndarray) -> np.ndarray:
        """The scores of test images with the same indices in each class, [classes, n]."""
        scores = self.test_scores.set_index(["class", "index"])["score"]
        return scores.loc[pd.MultiIndex.from_product([classes, index])].to_numpy(float).reshape(len(classes), -1)


def load_row_model(
    study: Path, dataset: str, rows: Mapping[str, Mapping[str, Any]], row: str, *, seed: int, fitting_seed: int
) -> RowModel:
    """Load a trained model of a row from a study.

    Args:
        rows: see `oddlens.config.comparison.scorers`.
        fitting_seed: the seed of the model that makes residual inputs.

    Raises:
        OSError: if the model or its scores do not exist.
        ValueError: if a file is damaged, or the training of the model diverged.
        KeyError: if the table of scores lacks the model.
        RuntimeError: if the tensors of the model do not fit the detector.
    """
    recipe = rows[row]
    fitter: ProvidesResiduals | None = None
    residual_input = 0
    if recipe["input"] != "images":
        fitting_model = _load(study, dataset, rows[recipe["fitting_row"]], fitting_seed)
        assert isinstance(fitting_model, ProvidesResiduals)
        fitter, residual_input = fitting_model, RESIDUAL_INPUTS.index(recipe["input"])
    model = _load(study, dataset, recipe, seed, **recipe["scoring"])
    scores, about = read_table(study / "scores" / dataset / f"{row}.csv", "scores")
    scores = scores.assign(score=scores[f"{recipe['training_set']}/{seed}"])
    smooth = scores[(scores["pool"] == "validation") & (scores["class"] == SMOOTH)]["score"].to_numpy(float)
    test, decoys = scores[scores["pool"] == "test"], tuple(about.get("decoys", ()))
    return RowModel(row, seed, model, fitter, residual_input, smooth, test, decoys)


def _load(study: Path, dataset: str, recipe: Mapping[str, Any], seed: int, **scoring: Any) -> Detector:
    folder = study / "models" / dataset / recipe["trained"] / f"seed-{seed}"
    path = folder / f"{recipe['training_set']}.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"{study} has no trained models for '{dataset}' ({path}): run the study again")
    model, about = loading.load(path, **scoring)
    if about["diverged"]:
        raise ValueError(about["diverged"])
    return model.to(pick_device("auto"))
