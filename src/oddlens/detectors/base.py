"""What a detector is. The methods in `Detector` that carry a body are written once, here, and never overridden.

A detector writes a constructor whose keyword-only arguments are its settings in the config, `objectives` (what is
trained), `anomaly` (the score), and what it needs of the hooks `prepare`, `conclude` and `reconstruct`.
It never sees a label.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from oddlens.artefacts import DamagedFile, digest, replacing
from oddlens.randomness import torch_seed
from oddlens.training import Epoch, Objective, global_generators, train

SCORE_BATCH = 256
"""Images scored at once; every batch is filled up to it, so that no image's score depends on how many others came."""


class Detector(nn.Module):
    """An anomaly detector on square images.

    Inside, images are tensors [n, 1, pixels, pixels] in units of `scale`, the brightness that 1 in 1000 of the training
    pixels exceeds; one number for a whole training set, so that brightness stays a property of each image.
    """

    scale: Tensor
    settings: dict[str, Any]

    def __init__(self, pixels: int):
        super().__init__()
        self.pixels = pixels
        self.register_buffer("scale", torch.ones(()))

    # --- what a detector writes ---------------------------------------------------------------------------------

    def objectives(self) -> list[Objective]:
        """What is trained, in order, on each batch; nothing by default."""
        return []

    def anomaly(self, images: Tensor) -> Tensor:
        """Scores [n] of scaled images [n, 1, pixels, pixels]; higher is odder, each from its own image alone."""
        raise NotImplementedError

    def prepare(self, images: Tensor, generator: torch.Generator) -> None:
        """Before training, with all training images, scaled [n, 1, pixels, pixels]."""

    def conclude(self, images: Tensor, generator: torch.Generator) -> None:
        """After training, likewise."""

    def reconstruct(self, images: Tensor) -> Tensor | None:
        """What the detector takes the images for, same shape and units; None if it has no such idea."""
        return None

    # --- what every detector does -------------------------------------------------------------------------------

    @final
    @classmethod
    def build(cls, pixels: int, *, seed: int = 0, **settings: Any) -> Self:
        """An untrained detector for images of `pixels` x `pixels`; its initial weights are a function of the seed."""
        with global_generators(torch_seed(seed, "weights")):
            detector = cls(pixels, **settings)
        detector.settings = settings
        return detector

    @final
    def fit(
        self,
        images: np.ndarray,
        *,
        seed: int,
        device: str | torch.device = "cpu",
        training: Mapping[str, Any] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
        checkpoint: Path | None = None,
    ) -> dict[str, list[float]]:
        """Learn from unlabelled images [n, pixels, pixels]; `training` are the settings of `oddlens.training.train`.

        Returns the mean loss of each objective in each epoch. With a `checkpoint` path, training goes on from the
        file if it is there, to equal results.
        """
        batch = self._tensor(images, device)
        self.to(device)
        brightest = max(1, batch.numel() // 1000)
        self.scale.copy_(batch.flatten().kthvalue(batch.numel() - brightest + 1).values)
        batch = batch / self.scale
        with torch.no_grad():
            self.prepare(batch, _generator(seed, "prepare", device))
        history = train(
            self,
            self.objectives(),
            batch,
            seed=seed,
            on_epoch=on_epoch,
            checkpoint=checkpoint,
            **(training or {}),
        )
        with torch.no_grad():
            self.eval()
            self.conclude(batch, _generator(seed, "conclude", device))
        return history

    @final
    def score(self, images: np.ndarray) -> np.ndarray:
        """Anomaly scores [n], float32, of images [n, pixels, pixels]; higher is more anomalous."""
        scores = self._map(images, self.anomaly)
        if not np.isfinite(scores).all():
            raise FloatingPointError(
                f"{type(self).__name__} scores {np.sum(~np.isfinite(scores))} images as not finite"
            )
        return scores

    @final
    def reconstructed(self, images: np.ndarray) -> np.ndarray | None:
        """What the detector takes images [n, pixels, pixels] for, in their units, or None."""
        if type(self).reconstruct is Detector.reconstruct:
            return None
        return self._map(images, lambda batch: self.reconstruct(batch)[:, 0] * self.scale)  # type: ignore[index]

    @final
    def save(self, path: Path | str, **about: Any) -> None:
        """Write the detector as safetensors; `about` is kept in its header as JSON beside what loading needs."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        header = {
            "detector": type(self).__module__.rpartition(".")[2],
            "pixels": self.pixels,
            "settings": self.settings,
            "about": about,
        }
        checksum = _checksum(tensors, header)
        with replacing(path) as temporary:
            # One entry: safetensors writes several in an order that changes from run to run.
            save_file(tensors, temporary, {"oddlens": json.dumps({**header, "sha256": checksum}, sort_keys=True)})

    @torch.no_grad()
    def _map(self, images: np.ndarray, function: Callable[[Tensor], Tensor]) -> np.ndarray:
        self.eval()
        batch = self._tensor(images, self.scale.device) / self.scale
        results = []
        for part in batch.split(SCORE_BATCH):
            full = torch.cat([part, part[:1].expand(SCORE_BATCH - len(part), -1, -1, -1)])
            results.append(function(full)[: len(part)].float().cpu().numpy())
        return np.concatenate(results)

    def _tensor(self, images: np.ndarray, device: str | torch.device) -> Tensor:
        if images.ndim != 3 or images.shape[1:] != (self.pixels, self.pixels):
            raise ValueError(f"images have shape {images.shape}; this detector takes (n, {self.pixels}, {self.pixels})")
        if not len(images) or not np.isfinite(images).all():
            raise ValueError("no images" if not len(images) else "some pixels are not finite")
        return torch.as_tensor(np.ascontiguousarray(images, np.float32)).unsqueeze(1).to(device)


def _generator(seed: int, name: str, device: str | torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(torch_seed(seed, name))


def read_model(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the header of a saved detector.

    Raises:
        DamagedFile: if it is truncated, altered, or no detector.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["oddlens"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no iterator
    except (SafetensorError, KeyError, ValueError) as error:
        raise DamagedFile(path, f"it cannot be read as a saved detector ({error})") from error
    if header.pop("sha256", None) != _checksum(tensors, header):
        raise DamagedFile(path, "its content does not agree with its checksum")
    return tensors, header


def _checksum(tensors: dict[str, Tensor], header: dict[str, Any]) -> str:
    return digest({name: tensor.numpy() for name, tensor in tensors.items()}, json.dumps(header, sort_keys=True))
