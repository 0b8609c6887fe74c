"""The training loop of all models: epochs, steps, checkpoints with resume, progress.

The loop knows a model only by its objectives. All random numbers of an epoch come from generators that are seeded by
(seed, epoch) and whose states a checkpoint holds. A resumed training therefore repeats the uninterrupted one bit for
bit on one machine and device type, even if it was interrupted within an epoch.
"""

import bisect
import itertools
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from oddlens.data.randomness import torch_seed
from oddlens.files.progress import Progress
from oddlens.training.checkpoints import Checkpoints, Position
from oddlens.training.devices import autocast, deterministic, global_generators
from oddlens.training.images import TrainingImages
from oddlens.training.objectives import Batch, Diverged, History, Objective
from oddlens.training.optimisers import optimisers_of, set_learning_rate, step
from oddlens.training.robust import ASSUMED_CONTAMINATION, mean_loss
from oddlens.training.symmetries import augmented

N_KNOWN_ANOMALIES = 16
"""Known anomalies in each batch, drawn with replacement."""


@dataclass(frozen=True)
class TrainingSettings:
    """The `training` section of a config."""

    epochs: int = 20
    batch_size: int = 128
    precision: str = "auto"
    """`float32`, `bfloat16` (autocast), or `auto`: bfloat16 if the processor multiplies it natively."""
    gradient_clip: float = 0.0
    """The largest norm of a gradient; 0: any norm."""
    augmentation: str = "none"
    """`symmetries` turns and flips every image at random."""
    robust: str = "none"
    """See `oddlens.training.robust`."""
    assumed_contamination: float = ASSUMED_CONTAMINATION
    """The fraction of the training images that robust training takes for anomalies."""
    checkpoint_s: float = 30.0
    """Seconds between checkpoints, at least; 0: a checkpoint after every batch."""


@dataclass(frozen=True)
class EpochRecord:
    """The number of an epoch, of all epochs, the losses by objective, and the progress of the training."""

    epoch: int
    epochs: int
    losses: dict[str, float | None]
    progress: Progress

    def __str__(self) -> str:
        losses = ", ".join(f"{name} {value:.5g}" for name, value in self.losses.items() if value is not None)
        return f"epoch {self.epoch}/{self.epochs}  {losses}  {self.progress}"


class Schedule:
    """The stages of a training: `lengths` in epochs, and their `ends`."""

    def __init__(self, objectives: list[Objective], epochs: int):
        stages = range(1 + max((o.stage for o in objectives), default=0))
        shares = [max((o.share for o in objectives if o.stage == stage), default=0) for stage in stages]
        self.lengths = [math.ceil(epochs * share) for share in shares]
        self.ends = list(itertools.accumulate(self.lengths))
        self.epochs = self.ends[-1]

    def stage(self, epoch: int) -> int:
        """The stage that an epoch belongs to."""
        return bisect.bisect_right(self.ends, epoch)

    def progress(self, epoch: int, step: int, steps: int) -> float:
        """The completed fraction of the stage, in [0, 1), before a step of the `steps` of an epoch."""
        stage = self.stage(epoch)
        begin, length = self.ends[stage] - self.lengths[stage], self.lengths[stage]
        return ((epoch - begin) * steps + step) / (length * steps)


class Trainer:
    """Trains a model on images.

    Each batch serves all objectives of the current stage in turn: the loss of an objective, the gradient with respect
    to its own networks, and a step of its optimisers. The last n mod batch_size images of an epoch's order are left
    out.

    Args:
        checkpoint: the file that the training is resumed from, if it holds a checkpoint of this very training.
        on_epoch: is called after each epoch.

    Raises:
        ValueError: there are fewer images than a batch holds.
    """

    def __init__(
        self,
        model: nn.Module,
        objectives: list[Objective],
        images: TrainingImages,
        *,
        seed: int,
        settings: TrainingSettings,
        checkpoint: Path | None = None,
        on_epoch: Callable[[EpochRecord], None] | None = None,
    ):
        self.model, self.objectives, self.images = model, objectives, images
        self.seed, self.settings, self.on_epoch = seed, settings, on_epoch
        self.device, self.steps = images.device, len(images) // settings.batch_size
        self.schedule = Schedule(objectives, settings.epochs)
        if self.schedule.epochs and not self.steps:
            raise ValueError(
                f"{len(images)} training images are fewer than training.batch_size = {settings.batch_size}: "
                f"lower it to {len(images)}"
            )
        self.parameters = {o.name: [p for net in o.networks for p in net.parameters()] for o in objectives}
        self.optimisers = {o.name: optimisers_of(o, self.parameters[o.name]) for o in objectives}
        self.history: History = {o.name: [] for o in objectives}
        self.ranks_images = settings.robust in ("none", "refine")
        self.checkpoints = Checkpoints(checkpoint, settings.checkpoint_s, model, self.optimisers, self._recipe())

    def run(self) -> History:
        """Train, and return the mean loss of each objective in each epoch.

        Raises:
            Diverged: a loss is no longer finite.
            ValueError: robust training, and no loss is one of single images.
        """
        if not self.schedule.epochs:
            return {}
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # for faster convolutions
        position = self.checkpoints.resume(self.history)
        self.ranks_images = self.ranks_images or position.epoch > 0  # the first epoch has shown it
        batches = (self.schedule.epochs - position.epoch) * self.steps - position.step
        progress = Progress(batches * self.settings.batch_size)
        for epoch in range(position.epoch, self.schedule.epochs):
            self._epoch(epoch, position)
            progress.advance((self.steps - position.step) * self.settings.batch_size)
            position = Position(epoch + 1)
            if position.epoch == self.schedule.epochs or self.checkpoints.due():
                self.checkpoints.save(self.history, position)
            if self.on_epoch:
                losses = {name: means[-1] for name, means in self.history.items()}
                self.on_epoch(EpochRecord(epoch + 1, self.schedule.epochs, losses, progress))
        self.model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return self.history

    def _epoch(self, epoch: int, position: Position) -> None:
        """Train on the batches of an epoch, the first ones excepted if `position` lies within it."""
        self.model.train()
        objectives = [o for o in self.objectives if o.stage == self.schedule.stage(epoch)]
        sums = torch.zeros(len(objectives), device=self.device)
        generator = torch.Generator(self.device).manual_seed(torch_seed(self.seed, "epoch", epoch))
        order = torch.randperm(len(self.images), generator=generator, device=self.device)
        with global_generators(torch_seed(self.seed, "global", epoch), self.device), deterministic():
            if position.within:
                _restore(position.within, generator, sums)
            for k in range(position.step, self.steps):
                batch = self._batch(order, epoch, k, generator)
                sums += torch.stack([self._step(objective, batch, epoch) for objective in objectives])
                if k + 1 < self.steps and self.checkpoints.due():
                    self.checkpoints.save(self.history, Position(epoch, k + 1, _state(generator, sums)))
        if not self.ranks_images:
            raise ValueError(
                f"training.robust: {self.settings.robust} ranks images by their losses, and no loss of this model is "
                "one of single images: set training.robust: none or refine"
            )
        means = {o.name: total / self.steps for o, total in zip(objectives, sums.tolist(), strict=True)}
        for name, losses in self.history.items():
            losses.append(means.get(name))
        _check_finite(self.history, epoch)

    def _batch(self, order: Tensor, epoch: int, k: int, generator: torch.Generator) -> Batch:
        """Batch k of an epoch."""
        chosen = order[k * self.settings.batch_size : (k + 1) * self.settings.batch_size]
        labels = self.images.labels
        return Batch(
            self._augmented(self.images, chosen),
            None if labels is None else labels[chosen],
            generator,
            self.schedule.progress(epoch, k, self.steps),
            self._known_anomalies(generator),
        )

    def _known_anomalies(self, generator: torch.Generator) -> Tensor | None:
        known = self.images.known_anomalies
        if known is None:
            return None
        return self._augmented(
            known, torch.randint(len(known), (N_KNOWN_ANOMALIES,), generator=generator, device=generator.device)
        )

    def _augmented(self, images: TrainingImages, chosen: Tensor) -> Tensor:
        pixels = images[chosen].contiguous(memory_format=torch.channels_last)
        return augmented(pixels) if self.settings.augmentation == "symmetries" else pixels

    def _step(self, objective: Objective, batch: Batch, epoch: int) -> Tensor:
        """One step of an objective's optimisers; the loss before it."""
        parameters, optimisers = self.parameters[objective.name], self.optimisers[objective.name]
        set_learning_rate(optimisers, objective.learning_rate(batch.progress))
        with autocast(self.settings.precision, self.device):
            losses = objective.loss(batch)
        self.ranks_images = self.ranks_images or losses.ndim == 1
        loss = mean_loss(losses.float(), self.settings.robust, self.settings.assumed_contamination, epoch)
        # Not backward(): the networks of other objectives must not get a gradient from this one.
        gradients = torch.autograd.grad(loss, parameters, allow_unused=objective.growing)
        step(parameters, gradients, optimisers, self.settings.gradient_clip)
        if objective.after:
            objective.after(batch)
        return loss.detach()

    def _recipe(self) -> dict:
        """What determines the result of the training, as plain data."""
        settings = {k: v for k, v in asdict(self.settings).items() if k not in ("epochs", "checkpoint_s")}
        return {
            "seed": self.seed,
            "device": self.device.type,
            "images": len(self.images),
            "lengths": self.schedule.lengths,
            "objectives": [[o.name, o.stage] for o in self.objectives],
            **settings,
        }


def _check_finite(history: History, epoch: int) -> None:
    for name, losses in history.items():
        if losses[-1] is not None and not math.isfinite(losses[-1]):
            error = Diverged(
                f"objective '{name}' became {losses[-1]} in epoch {epoch + 1}: "
                "lower its learning rate, or set training.gradient_clip (for instance to 1)"
            )
            error.history = history
            raise error


def _state(generator: torch.Generator, sums: Tensor) -> dict[str, Tensor]:
    """The state within an epoch: that of the generators, and the sums of the losses."""
    states = {"generator": generator.get_state(), "global": torch.get_rng_state(), "sums": sums}
    return states | ({"gpu": torch.cuda.get_rng_state(sums.device)} if sums.device.type == "cuda" else {})


def _restore(state: dict[str, Tensor], generator: torch.Generator, sums: Tensor) -> None:
    """Restore the state within an epoch."""
    generator.set_state(state["generator"])
    torch.set_rng_state(state["global"])
    if "gpu" in state:
        torch.cuda.set_rng_state(state["gpu"], sums.device)
    sums.copy_(state["sums"])
