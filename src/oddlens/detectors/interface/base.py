"""What every detector is: settings, training and scores.

A detector writes a constructor whose keyword-only arguments are its settings in the config, `objectives` (what is
trained) and `anomaly_score`, and, if it needs them, `prepare` and `conclude`. It inherits further abilities from
`oddlens.detectors.interface.capabilities`. Methods marked `final` are written once, here, and never overridden. A
detector never sees a label, unless it is an upper bound that declares so in `needs`.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, final

import numpy as np
import torch
from torch import Tensor

from oddlens.data.randomness import torch_seed
from oddlens.detectors.interface.image_module import UNKNOWN_CAMERA, ImageModule, KnownCamera, seeded_generator
from oddlens.files.progress import say
from oddlens.training.devices import global_generators
from oddlens.training.images import TrainingImages
from oddlens.training.loop import EpochRecord, Trainer, TrainingSettings
from oddlens.training.objectives import History, Objective


class Detector(ImageModule, ABC):
    """An anomaly detector on square images; see `ImageModule` for their units."""

    role: ClassVar[Literal["detector", "control", "reference", "upper_bound"]] = "detector"
    """What the detector is for in a comparison: a `control` should be blind, a `reference` is a general method, and an
    `upper_bound` uses information that no detector has."""
    takes_simulation: ClassVar[bool] = False
    """Whether the constructor also takes the simulation of the data set: its lenses, sources and camera, as plain
    data."""
    semi_supervised: ClassVar[bool] = False
    """Whether the training can use a few known anomalies (`Batch.known_anomalies`)."""
    scoring: ClassVar[tuple[str, ...]] = ()
    """Settings that only the score depends on. Rows of a config that differ in no others share their models."""
    findings: ClassVar[tuple[str, ...]] = ()
    """Names of what `anomaly_score` returns beside the score. `doubtful` is 1 if the score says nothing about the
    image; `at_bounds` is 1 if only a lens outside the simulation's range fits the image."""
    refused: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """For some settings, values that are known and not offered, with the reason and an alternative."""
    settings: dict[str, Any]
    simulation: dict[str, Any] | None

    # --- what a detector writes ---------------------------------------------------------------------------------

    @abstractmethod
    def anomaly_score(self, images: Tensor) -> Tensor:
        """The scores [n] of scaled images [n, 1, pixels, pixels]; higher is more anomalous.

        The score of an image does not depend on the other images. A detector with `findings` returns
        [n, 1 + findings], the score first; unknown values are NaN. A detector that needs the truth gets two more
        channels: the smooth model, and the standard deviation of the noise.
        """

    def objectives(self) -> list[Objective]:
        """What is trained, in order, on each batch; nothing by default."""
        return []

    def training_images(self, images: TrainingImages) -> TrainingImages:
        """The training images as `prepare` and the objectives take them; scaled images by default."""
        return images

    def prepare(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Is called with all `training_images` before the training."""

    def conclude(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Is called with all scaled training images after the training."""

    # --- what every detector does -------------------------------------------------------------------------------

    @final
    @classmethod
    def build(cls, pixels: int, *, seed: int = 0, simulation: dict[str, Any] | None = None, **settings: Any) -> Self:
        """An untrained detector for images of `pixels` x `pixels`. Its initial weights are a function of the seed.

        Args:
            simulation: for a detector that `takes_simulation`.
        """
        if cls.takes_simulation != (simulation is not None):
            raise ValueError(f"{cls.__name__} {'needs' if cls.takes_simulation else 'takes no'} simulation of lenses")
        with global_generators(torch_seed(seed, "weights")):
            detector = cls(pixels, *([] if simulation is None else [simulation]), **settings)
        detector.settings, detector.simulation = settings, simulation
        return detector

    @final
    def fit(
        self,
        images: np.ndarray,
        *,
        seed: int,
        rows: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        known_anomalies: np.ndarray | None = None,
        camera: KnownCamera = UNKNOWN_CAMERA,
        device: str | torch.device = "cpu",
        training: Mapping[str, Any] | None = None,
        on_epoch: Callable[[EpochRecord], None] | None = None,
        checkpoint: Path | None = None,
    ) -> History:
        """Train on images [n, pixels, pixels], which may be mapped from a file; they are not copied as a whole.

        Args:
            rows: the rows of the training images; all by default.
            labels: by row, 1 for an anomaly, for a detector that needs labels; [rows, histograms] for a regression.
            known_anomalies: other rows, of known anomalies, for a detector that is `semi_supervised`.
            camera: one camera for all images.
            training: the fields of `oddlens.training.loop.TrainingSettings`.
            on_epoch: is called after each epoch.
            checkpoint: the file from which an interrupted training is resumed, with equal results.

        Returns the mean loss of each objective in each epoch.

        Raises:
            Diverged: a loss is no longer finite.
            ValueError: the detector does not take these images or labels, or there are fewer images than in a batch.
        """
        rows = self._check(images, rows)
        self._check_labels(images, rows, labels, known_anomalies)
        self.to(device)
        settings = TrainingSettings(**(training or {}))
        initial = copy.deepcopy(self.state_dict())

        def train(kept: np.ndarray, checkpoint: Path | None) -> History:
            kept_labels = None if labels is None else labels[kept]
            view = TrainingImages(images, rows[kept], kept_labels, device, known_anomalies)
            self._set_units(view, camera)
            return self._train(view, seed, settings, checkpoint, on_epoch)

        history = train(np.arange(len(rows)), checkpoint)
        if settings.robust == "refine":
            count = round(settings.assumed_contamination * len(rows))
            say(f"  second training, without the {count} most anomalous images of the first")
            kept = np.sort(np.argsort(self.score(images, rows=rows), kind="stable")[: len(rows) - count])
            self.load_state_dict(initial)
            history = train(kept, checkpoint and checkpoint.with_stem(f"{checkpoint.stem}-refined"))
        return history

    @final
    def score(
        self,
        images: np.ndarray,
        *,
        rows: np.ndarray | None = None,
        truth: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Anomaly scores [n], float32, of images [n, pixels, pixels] or some of their rows; higher is more anomalous.

        Args:
            truth: for a detector that needs it, the noise-free smooth model and the standard deviation of the noise of
                each image.

        Raises:
            FloatingPointError: a score is not finite.
            ValueError: the detector does not take these images.
        """
        return self.scores_and_findings(images, rows=rows, truth=truth)[0]

    @final
    def scores_and_findings(
        self,
        images: np.ndarray,
        *,
        rows: np.ndarray | None = None,
        truth: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The scores as in `score`, and the `findings` [n] by name."""
        columns = self._map(images, self.anomaly_score, rows, truth)
        scores, *findings = columns.T if self.findings else (columns,)
        if not np.isfinite(scores).all():
            raise FloatingPointError(
                f"{type(self).__name__}: the scores of {np.sum(~np.isfinite(scores))} images are not finite"
            )
        return scores, dict(zip(self.findings, findings, strict=True))

    def _train(
        self,
        images: TrainingImages,
        seed: int,
        settings: TrainingSettings,
        checkpoint: Path | None,
        on_epoch: Callable[[EpochRecord], None] | None,
    ) -> History:
        """One training: `prepare`, the epochs, `conclude`."""
        device = images.device
        with torch.no_grad():
            inputs = self.training_images(images)
            self.prepare(inputs, seeded_generator(seed, "prepare", device))
        trainer = Trainer(
            self, self.objectives(), inputs, seed=seed, settings=settings, checkpoint=checkpoint, on_epoch=on_epoch
        )
        history = trainer.run()
        with torch.no_grad():
            self.eval()
            self.conclude(images, seeded_generator(seed, "conclude", device))
        return history

    def _check_labels(
        self, images: np.ndarray, rows: np.ndarray, labels: np.ndarray | None, known_anomalies: np.ndarray | None
    ) -> None:
        """Raise ValueError if this detector does not take the labels or the known anomalies."""
        if (self.needs == "labels") != (labels is not None):
            raise ValueError(f"{type(self).__name__} {'needs' if self.needs == 'labels' else 'takes no'} labels")
        if known_anomalies is None:
            return
        if not self.semi_supervised:
            raise ValueError(f"{type(self).__name__} is not semi-supervised: it takes no known anomalies")
        if both := np.intersect1d(rows, known_anomalies).tolist():
            raise ValueError(f"image {both[0]} is among the training images and among the known anomalies")
        self._check(images, known_anomalies)
