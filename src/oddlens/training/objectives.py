"""What a model is trained by: objectives, and the batches that their losses are computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

History = dict[str, list[float | None]]
"""The mean loss of each epoch, by objective; None for an epoch of another stage."""


class Diverged(FloatingPointError):
    """A loss is no longer finite. The message names the objective; `history` holds the losses up to that epoch."""

    history: History


@dataclass(frozen=True)
class Batch:
    """The input of a loss."""

    images: Tensor
    """Images [n, 1, pixels, pixels], as `Detector.training_images` gives them."""
    labels: Tensor | None
    """[n], 1 for an anomaly; [n, histograms] for a regression; None for a detector that needs no labels."""
    generator: torch.Generator
    """The source of all random numbers of a loss, on the device of the images."""
    progress: float
    """The completed fraction of the stage, in [0, 1)."""
    known_anomalies: Tensor | None = None
    """Images of known anomalies, [m, 1, pixels, pixels]; None if none are known."""


@dataclass(frozen=True)
class Objective:
    """One loss, the networks that it trains, and its learning rate.

    The loss returns one number per image ([n]) where possible, as robust training ranks images by it; else a scalar.
    """

    name: str
    networks: tuple[nn.Module, ...]
    loss: Callable[[Batch], Tensor]
    learning_rate: Callable[[float], float]
    """As a function of the progress of its stage, in [0, 1)."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of Adam."""
    weight_decay: float = 0.0
    optimiser: Literal["adam", "muon"] = "adam"
    """`muon` (Jordan et al. 2024; Liu et al. 2025, arXiv:2502.16982) trains matrices with Muon and all other parameters
    with Adam."""
    stage: int = 0
    """Objectives of stage 1 are trained after those of stage 0."""
    share: float = 1.0
    """The minimum length of its stage, in units of `TrainingSettings.epochs`."""
    growing: bool = False
    """Whether the loss may not depend on some parameters yet; these stay unchanged."""
    after: Callable[[Batch], None] | None = None
    """A function that is called after each optimiser step, for instance to average weights."""
