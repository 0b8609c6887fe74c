"""Muon: steps along the orthogonalised momentum of matrices.

Jordan et al. 2024; Liu et al. 2025 (arXiv:2502.16982). PyTorch's own class orthogonalises in bfloat16 on every
processor. On a processor without native bfloat16 products this takes thirty times as long as float32, more than all the
rest of a training. This class takes the precision as an argument and orthogonalises all matrices of one shape at once;
it differs in nothing else.
"""

from typing import Any

import torch
from torch import Tensor


class Muon(torch.optim.Muon):
    """PyTorch's optimiser and its state, with a chosen precision.

    Args:
        arguments, settings: the parameters and arguments of `torch.optim.Muon`.
        precision: of the matrix products.
    """

    def __init__(self, *arguments: Any, precision: torch.dtype = torch.float32, **settings: Any):
        super().__init__(*arguments, **settings)
        self.precision = precision

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step. Parameters without a gradient are unchanged."""
        for group in self.param_groups:
            parameters: list[Tensor] = []
            gradients: list[Tensor] = []
            momenta: list[Tensor] = []
            self._init_group(group, parameters, gradients, momenta)
            if not parameters:
                continue
            torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
            updates = torch._foreach_lerp(gradients, momenta, group["momentum"]) if group["nesterov"] else momenta
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            by_shape: dict[torch.Size, list[int]] = {}
            for k, update in enumerate(updates):
                by_shape.setdefault(update.shape, []).append(k)
            for (rows, columns), members in by_shape.items():
                stacked = torch.stack([updates[k] for k in members]).to(self.precision)
                steps = orthogonalised(stacked, group["ns_coefficients"], group["ns_steps"], group["eps"])
                rate = group["lr"] * max(1.0, rows / columns) ** 0.5
                for k, step in zip(members, steps, strict=True):
                    parameters[k].add_(step, alpha=-rate)


def orthogonalised(matrices: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Matrices [n, rows, columns] whose singular values Newton-Schulz iterations of degree 5 have brought near to 1."""
    a, b, c = coefficients
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
