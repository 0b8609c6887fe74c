"""The state of a training on disk, from which a killed one goes on to the same numbers, bit for bit.

Beside the weights a checkpoint holds what the optimisers have gathered, the losses of past epochs and, within an epoch,
the states of the random generators and the sums of its losses. Learning rates and other settings of the optimisers
follow from the objectives and are not in it.
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

History = dict[str, list[float | None]]
"""The mean loss of each epoch, by objective; None for an epoch in which it was not pursued."""
Optimisers = Mapping[str, list[torch.optim.Optimizer]]
MODEL, WITHIN = "model/", "within/"


@dataclass(frozen=True)
class Place:
    """Where a training stands: epochs that are done, steps of the next one, and what goes on within it."""

    epoch: int = 0
    step: int = 0
    within: dict[str, Tensor] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one training, each in the place of the one before.

    Args:
        path: of the file; None to keep none.
        every_s: how long to wait between two.
        training: what the training does, as plain data: the checkpoint of one that does anything else, or whose tensors
            have other names or shapes, is not used.
    """

    def __init__(
        self, path: Path | None, every_s: float, model: nn.Module, optimisers: Optimisers, training: dict[str, Any]
    ):
        self.path, self.every_s, self.model, self.optimisers = path, every_s, model, optimisers
        shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
        self.training = {**training, "torch": torch.__version__, "shapes": shapes}
        self._saved = time.perf_counter()

    def due(self) -> bool:
        """Whether it is time for another."""
        return self.path is not None and time.perf_counter() - self._saved >= self.every_s

    def save(self, history: History, place: Place) -> None:
        """Write everything, if there is a path to write to."""
        if self.path is None:
            return
        tensors = {MODEL + name: tensor for name, tensor in self.model.state_dict().items()}
        for prefix, optimiser, parameter in self._trained():
            tensors |= {prefix + name: tensor for name, tensor in optimiser.state.get(parameter, {}).items()}
        tensors |= {WITHIN + name: tensor for name, tensor in place.within.items()}
        header = {"training": self.training, "history": history, "epoch": place.epoch, "step": place.step}
        write_tensors(self.path, tensors, header)
        self._saved = time.perf_counter()

    def resume(self, history: History) -> Place:
        """Put model, optimisers and history back as the file has them; where that was: at the start if it has none."""
        if self.path is None or not self.path.exists():
            return Place()
        try:
            tensors, header = read_tensors(self.path)
        except DamagedFile as error:
            say(f"the checkpoint {self.path} is damaged ({error.reason}): training starts anew")
            return Place()
        if header.get("training") != self.training:
            say(f"the checkpoint {self.path} is of another training: this one starts anew")
            return Place()
        self.model.load_state_dict(_below(MODEL, tensors))
        for prefix, optimiser, parameter in self._trained():
            optimiser.state[parameter] = {name: _like(parameter, t) for name, t in _below(prefix, tensors).items()}
        history.update(header["history"])
        return Place(header["epoch"], header["step"], _below(WITHIN, tensors))

    def _trained(self) -> Iterator[tuple[str, torch.optim.Optimizer, nn.Parameter]]:
        """What each optimiser steps, and how the names of its tensors begin."""
        for objective, found in self.optimisers.items():
            for k, optimiser in enumerate(found):
                parameters = [p for group in optimiser.param_groups for p in group["params"]]
                for place, parameter in enumerate(parameters):
                    yield f"optimisers/{objective}/{k}/{place}/", optimiser, parameter


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _like(parameter: nn.Parameter, tensor: Tensor) -> Tensor:
    """A tensor of an optimiser where its parameter is, and laid out like it: fused steps go through memory in order."""
    if tensor.shape != parameter.shape:
        return tensor.to(parameter.device)
    return torch.empty_like(parameter, dtype=tensor.dtype, requires_grad=False).copy_(tensor)
