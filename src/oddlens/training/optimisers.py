"""The optimisers of an objective and their steps."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from oddlens.training.devices import multiplies_bfloat16
from oddlens.training.muon import Muon
from oddlens.training.objectives import Objective

MUON_MIN_SIDE = 64
"""Muon trains matrices with at least so many rows and columns; Adam trains all other parameters."""
MUON_RATE_FACTOR = 10
"""The learning rate of Muon in units of Adam's."""
MUON_MOMENTUM, MUON_ITERATIONS = 0.9, 5
"""The momentum of Muon, and the iterations that orthogonalise it. A momentum of 0.95 remembers twenty steps, which is
long for trainings of some hundred steps; docs/speed.md says what the values gain."""


def optimisers_of(objective: Objective, parameters: list[nn.Parameter]) -> list[torch.optim.Optimizer]:
    """Muon, Adam or both, for the parameters of an objective's networks."""
    matrices = [
        p for p in parameters if p.ndim == 2 and min(p.shape) >= MUON_MIN_SIDE and objective.optimiser == "muon"
    ]
    rest = [p for p in parameters if all(p is not matrix for matrix in matrices)]
    decay = objective.weight_decay
    optimisers: list[torch.optim.Optimizer] = []
    if matrices:
        precision = torch.bfloat16 if multiplies_bfloat16(matrices[0].device) else torch.float32
        optimisers.append(
            Muon(
                matrices,
                momentum=MUON_MOMENTUM,
                weight_decay=decay,
                ns_steps=MUON_ITERATIONS,
                precision=precision,
            )
        )
    if rest:
        optimisers.append(torch.optim.Adam(rest, betas=objective.betas, weight_decay=decay, fused=True))
    return optimisers


def set_learning_rate(optimisers: list[torch.optim.Optimizer], rate: float) -> None:
    """Set the learning rate of all parameters."""
    for optimiser in optimisers:
        factor = MUON_RATE_FACTOR if isinstance(optimiser, Muon) else 1
        for group in optimiser.param_groups:
            group["lr"] = factor * rate


def step(
    parameters: list[nn.Parameter],
    gradients: Sequence[Tensor | None],
    optimisers: list[torch.optim.Optimizer],
    clip: float,
) -> None:
    """Step along the gradients, whose joint norm is at most `clip` (0: any norm)."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    if clip:
        nn.utils.clip_grad_norm_(parameters, clip)
    for optimiser in optimisers:
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
