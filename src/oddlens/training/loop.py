"""The one training loop: batches, optimisers, precision, checkpoints with resume, progress.

It knows nothing of the model but its objectives. All randomness of an epoch comes from generators that are seeded by
(seed, epoch) and whose states a checkpoint holds, so a run that is resumed from within an epoch, too, repeats the
uninterrupted one bit for bit (on one machine and device type).
"""

import bisect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from oddlens.data.randomness import torch_seed
from oddlens.files.progress import Progress
from oddlens.training.checkpoints import Checkpoints, History, Place
from oddlens.training.images import Images
from oddlens.training.muon import Muon
from oddlens.training.robust import ASSUMED_CONTAMINATION, mean_loss
from oddlens.training.symmetries import turned

ODD = 16
"""How many images that are known to be odd go with a batch, drawn with repetition."""
MUON_SIDE, MUON_RATE = 64, 10
"""Muon is for matrices with at least so many rows and columns; its learning rate in those of Adam."""


class Diverged(FloatingPointError):
    """A loss that is no longer finite; the message names the objective, `history` is what came before."""

    history: History


@dataclass(frozen=True)
class Batch:
    """What a loss is computed from."""

    images: Tensor
    """Scaled, [n, 1, pixels, pixels]."""
    labels: Tensor | None
    """[n], 1 for odd, or [n, histograms] for a regression; None for a detector that does not ask for labels."""
    generator: torch.Generator
    """All randomness of a loss; on the device of the images."""
    progress: float
    """How much of the stage is done, in [0, 1)."""
    odd: Tensor | None = None
    """Some of the images that are known to be odd, likewise; None if none are."""


@dataclass(frozen=True)
class Objective:
    """One loss, the networks that it trains, and its learning rate as a function of progress in [0, 1].

    The loss is one number per image where it can be ([n]; robust training ranks by it), else a scalar.
    """

    name: str
    networks: tuple[nn.Module, ...]
    loss: Callable[[Batch], Tensor]
    learning_rate: Callable[[float], float]
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    optimiser: Literal["adam", "muon"] = "adam"
    """`muon` (Jordan et al. 2024; Liu et al. 2025, arXiv:2502.16982) for matrices, and Adam for all else."""
    stage: int = 0
    """Objectives of stage 1 are pursued when those of stage 0 are done."""
    share: float = 1.0
    """How long its stage is at least, in units of `epochs`."""
    growing: bool = False
    """Whether parts of its networks may have no say in the loss yet; those stay as they are."""
    after: Callable[[Batch], None] | None = None
    """What is done after each of its steps (averages of weights)."""


@dataclass(frozen=True)
class Epoch:
    """The plain record of one epoch."""

    epoch: int
    epochs: int
    losses: dict[str, float | None]
    progress: Progress

    def __str__(self) -> str:
        losses = ", ".join(f"{name} {value:.5g}" for name, value in self.losses.items() if value is not None)
        return f"epoch {self.epoch}/{self.epochs}  {losses}  {self.progress}"


def train(
    model: nn.Module,
    objectives: list[Objective],
    images: Images,
    *,
    seed: int,
    epochs: int = 20,
    batch_size: int = 128,
    precision: str = "auto",
    gradient_clip: float = 0.0,
    augmentation: str = "none",
    robust: str = "none",
    assumed_contamination: float = ASSUMED_CONTAMINATION,
    checkpoint: Path | None = None,
    checkpoint_s: float = 30.0,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> History:
    """Train `model` on `images`.

    Each batch serves every objective of the stage in turn: its loss, the gradient of its own networks alone, a step of
    its optimisers. The last n mod batch_size images of an epoch's order are left out.

    Args:
        checkpoint: goes on from this file if it is there and of this very training.
        checkpoint_s: how long the work of a killed run can be at most that is done again; 0 saves after every batch.
        precision: `float32`, `bfloat16` (autocast), or `auto`: bfloat16 where the processor multiplies it natively.
        augmentation: `symmetries` turns and flips every image at random.
        robust: see `oddlens.training.robust`.

    Raises:
        Diverged: a loss is no longer finite; the message names the objective.
        ValueError: there are fewer images than a batch takes, or `robust` has no loss to rank them by.
    """
    if not objectives or not epochs:
        return {}
    device, count, size = images.device, len(images), batch_size
    if count < size:
        raise ValueError(f"{count} training images are fewer than training.batch_size = {size}: lower it to {count}")
    batches = count // size
    parameters = {o.name: [p for net in o.networks for p in net.parameters()] for o in objectives}
    optimisers = {o.name: _optimisers(o, parameters[o.name]) for o in objectives}
    history: History = {o.name: [] for o in objectives}
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # convolutions are faster so
    stages = range(1 + max(o.stage for o in objectives))
    lengths = [math.ceil(epochs * max(o.share for o in objectives if o.stage == k)) for k in stages]
    ends = list(itertools.accumulate(lengths))
    recipe = {
        "seed": seed,
        "device": device.type,
        "images": count,
        "batch_size": size,
        "lengths": lengths,
        "objectives": [[o.name, o.stage] for o in objectives],
        "loss": [precision, gradient_clip, augmentation, robust, assumed_contamination],
    }
    checkpoints = Checkpoints(checkpoint, checkpoint_s, model, optimisers, recipe)
    place = checkpoints.resume(history)
    progress = Progress(((ends[-1] - place.epoch) * batches - place.step) * size)
    ranks = robust in ("none", "refine")

    for epoch in range(place.epoch, ends[-1]):
        model.train()
        stage = bisect.bisect_right(ends, epoch)
        begin, length = ends[stage] - lengths[stage], lengths[stage]
        current = [o for o in objectives if o.stage == stage]
        sums = torch.zeros(len(current), device=device)
        generator = torch.Generator(device).manual_seed(torch_seed(seed, "epoch", epoch))
        order = torch.randperm(count, generator=generator, device=device)
        with global_generators(torch_seed(seed, "global", epoch), device), _deterministic():
            if place.within:
                _put_back(place.within, generator, sums)
            for step in range(place.step, batches):
                chosen = order[step * size : (step + 1) * size]
                batch = Batch(
                    _posed(images, chosen, augmentation),
                    None if images.labels is None else images.labels[chosen],
                    generator,
                    ((epoch - begin) * batches + step) / (length * batches),
                    _known(images, augmentation, generator),
                )
                for k, objective in enumerate(current):
                    for optimiser in optimisers[objective.name]:
                        factor = MUON_RATE if isinstance(optimiser, Muon) else 1
                        for group in optimiser.param_groups:
                            group["lr"] = factor * objective.learning_rate(batch.progress)
                    with _autocast(precision, device):
                        losses = objective.loss(batch)
                    ranks = ranks or losses.ndim == 1
                    loss = mean_loss(losses.float(), robust, assumed_contamination, epoch)
                    own = parameters[objective.name]
                    # Not backward(): the networks of the other objectives must get no gradient from this one.
                    gradients = torch.autograd.grad(loss, own, allow_unused=objective.growing)
                    _step(own, gradients, optimisers[objective.name], gradient_clip)
                    sums[k] += loss.detach()
                    if objective.after:
                        objective.after(batch)
                if step + 1 < batches and checkpoints.due():
                    checkpoints.save(history, Place(epoch, step + 1, _within(generator, sums)))
        if not ranks:
            raise ValueError(f"training.robust: {robust} ranks images by their losses; here none is of a single image")
        progress.advance((batches - place.step) * size)
        means = {o.name: total / batches for o, total in zip(current, sums.tolist(), strict=True)}
        for name, past in history.items():
            past.append(means.get(name))
        _must_be_finite(history, epoch)
        place = Place(epoch + 1)
        if place.epoch == ends[-1] or checkpoints.due():
            checkpoints.save(history, place)
        if on_epoch:
            on_epoch(Epoch(epoch + 1, ends[-1], {name: losses[-1] for name, losses in history.items()}, progress))
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return history


def _posed(images: Images, chosen: Tensor, augmentation: str) -> Tensor:
    pixels = images[chosen].contiguous(memory_format=torch.channels_last)
    return turned(pixels) if augmentation == "symmetries" else pixels


def _known(images: Images, augmentation: str, generator: torch.Generator) -> Tensor | None:
    """Some of the images that are known to be odd."""
    if images.odd is None:
        return None
    chosen = torch.randint(len(images.odd), (ODD,), generator=generator, device=generator.device)
    return _posed(images.odd, chosen, augmentation)


def _optimisers(objective: Objective, parameters: list[nn.Parameter]) -> list[torch.optim.Optimizer]:
    matrices = [p for p in parameters if p.ndim == 2 and min(p.shape) >= MUON_SIDE and objective.optimiser == "muon"]
    others = [p for p in parameters if all(p is not matrix for matrix in matrices)]
    decay = objective.weight_decay
    found: list[torch.optim.Optimizer] = []
    if matrices:
        fast = _multiplies_bfloat16(matrices[0].device)
        precision = torch.bfloat16 if fast else torch.float32
        found.append(Muon(matrices, weight_decay=decay, ns_steps=4, precision=precision))
    if others:
        found.append(torch.optim.Adam(others, betas=objective.betas, weight_decay=decay, fused=True))
    return found


def _step(
    parameters: list[nn.Parameter],
    gradients: Sequence[Tensor | None],
    optimisers: list[torch.optim.Optimizer],
    clip: float,
) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    if clip:
        nn.utils.clip_grad_norm_(parameters, clip)
    for optimiser in optimisers:
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


def _must_be_finite(history: History, epoch: int) -> None:
    for name, losses in history.items():
        if losses[-1] is not None and not math.isfinite(losses[-1]):
            error = Diverged(
                f"objective '{name}' became {losses[-1]} in epoch {epoch + 1}: "
                "lower its learning rate, or set training.gradient_clip (for instance to 1)"
            )
            error.history = history
            raise error


def _within(generator: torch.Generator, sums: Tensor) -> dict[str, Tensor]:
    """What goes on within an epoch: the states of the generators, and the sums of its losses."""
    states = {"generator": generator.get_state(), "global": torch.get_rng_state(), "sums": sums}
    return states | ({"gpu": torch.cuda.get_rng_state(sums.device)} if sums.device.type == "cuda" else {})


def _put_back(within: dict[str, Tensor], generator: torch.Generator, sums: Tensor) -> None:
    """That again as it was."""
    generator.set_state(within["generator"])
    torch.set_rng_state(within["global"])
    if "gpu" in within:
        torch.cuda.set_rng_state(within["gpu"], sums.device)
    sums.copy_(within["sums"])


def _deterministic() -> AbstractContextManager:
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)


def _autocast(precision: str, device: torch.device) -> AbstractContextManager:
    if precision == "bfloat16" or (precision == "auto" and _multiplies_bfloat16(device)):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


@cache
def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


@contextmanager
def global_generators(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seeds PyTorch's global generators inside the block, for initial weights and dropout, and puts them back."""
    gpu = torch.device(device).type == "cuda"
    with torch.random.fork_rng([torch.device(device)] if gpu else []):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed GPUs that are not forked
        if gpu:
            torch.cuda.manual_seed(seed)
        yield


def pick_device(device: str) -> str:
    """`auto` as `cuda` where there is a GPU, else `cpu`."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
