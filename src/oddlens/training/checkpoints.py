"""The state of a training in a file, from which an interrupted training is resumed bit for bit.

A checkpoint holds the weights, the state of the optimisers and the losses of past epochs. Within an epoch it also holds
the states of the random generators and the sums of the losses. Learning rates and other settings of the optimisers
follow from the objectives and are not stored.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from oddlens.files.artefacts import DamagedFile
from oddlens.files.progress import say
from oddlens.files.tensors import read_tensors, write_tensors
from oddlens.training.objectives import History

Optimisers = Mapping[str, list[torch.optim.Optimizer]]
MODEL, WITHIN = "model/", "within/"


@dataclass(frozen=True)
class Position:
    """The position of a training: complete epochs, complete steps of the next epoch, and the state within that
    epoch."""

    epoch: int = 0
    step: int = 0
    within: dict[str, Tensor] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one training. Each replaces the one before.

    Args:
        path: of the file; None for no checkpoints.
        every_s: seconds between two checkpoints, at least.
        training: what determines the result of the training, as plain data. A checkpoint of another training, or of
            tensors with other names or shapes, is not used.
    """

    def __init__(
        self, path: Path | None, every_s: float, model: nn.Module, optimisers: Optimisers, training: dict[str, Any]
    ):
        self.path, self.every_s, self.model, self.optimisers = path, every_s, model, optimisers
        shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
        self.training = {**training, "torch": torch.__version__, "shapes": shapes}
        self._saved = time.perf_counter()

    def due(self) -> bool:
        """Whether it is time for another checkpoint."""
        return self.path is not None and time.perf_counter() - self._saved >= self.every_s

    def save(self, history: History, position: Position) -> None:
        """Write a checkpoint, if there is a path."""
        if self.path is None:
            return
        tensors = {MODEL + name: tensor for name, tensor in self.model.state_dict().items()}
        for prefix, optimiser, parameter in self._parameters():
            tensors |= {prefix + name: tensor for name, tensor in optimiser.state.get(parameter, {}).items()}
        tensors |= {WITHIN + name: tensor for name, tensor in position.within.items()}
        header = {"training": self.training, "history": history, "epoch": position.epoch, "step": position.step}
        write_tensors(self.path, tensors, header)
        self._saved = time.perf_counter()

    def resume(self, history: History) -> Position:
        """Restore model, optimisers and history from the file.

        Returns the position of the checkpoint; the beginning, if there is no usable checkpoint.
        """
        if self.path is None or not self.path.exists():
            return Position()
        try:
            tensors, header = read_tensors(self.path)
        except DamagedFile as error:
            say(f"the checkpoint {self.path} is damaged ({error.reason}): the training starts from the beginning")
            return Position()
        if header.get("training") != self.training:
            say(f"the checkpoint {self.path} is of another training: this one starts from the beginning")
            return Position()
        self.model.load_state_dict(_with_prefix(MODEL, tensors))
        for prefix, optimiser, parameter in self._parameters():
            state = _with_prefix(prefix, tensors)
            optimiser.state[parameter] = {name: _laid_out_like(parameter, t) for name, t in state.items()}
        history.update(header["history"])
        return Position(header["epoch"], header["step"], _with_prefix(WITHIN, tensors))

    def _parameters(self) -> Iterator[tuple[str, torch.optim.Optimizer, nn.Parameter]]:
        """Each parameter of each optimiser, and the prefix of its tensors in the file."""
        for objective, optimisers in self.optimisers.items():
            for k, optimiser in enumerate(optimisers):
                parameters = [p for group in optimiser.param_groups for p in group["params"]]
                for index, parameter in enumerate(parameters):
                    yield f"optimisers/{objective}/{k}/{index}/", optimiser, parameter


def _with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names have a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _laid_out_like(parameter: nn.Parameter, tensor: Tensor) -> Tensor:
    """A tensor of an optimiser on the device of its parameter and in its memory layout, as fused steps need it."""
    if tensor.shape != parameter.shape:
        return tensor.to(parameter.device)
    return torch.empty_like(parameter, dtype=tensor.dtype, requires_grad=False).copy_(tensor)
