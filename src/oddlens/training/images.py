"""Training images in batches: a view of an array that may be a file larger than memory."""

import copy
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Self

import numpy as np
import torch
from torch import Tensor

BATCH_SIZE = 1024
"""Images that are read at once where all are."""
MAX_GPU_FRACTION = 0.5
"""The fraction of a GPU's free memory that images may take. Larger sets stay in main memory or in their file."""
MAX_KEPT_BYTES = 2**29
"""The memory that images which went through a function may take. Those of larger sets are computed for each batch."""


def total(parts: Iterable[Tensor]) -> Tensor:
    """The sum of tensors, added one by one."""
    return functools.reduce(torch.add, parts)


class TrainingImages:
    """Rows of an array [n, pixels, pixels] as scaled tensors [b, 1, pixels, pixels] on a device.

    The array is not copied as a whole unless it fits on a GPU: batches are read from a memory-mapped file when needed.

    Args:
        array: all images.
        rows: the rows of the training images.
        labels: of these rows, if a detector needs labels.
        device: of the batches.
        known_anomalies: other rows, of images that are known to be anomalous.
    """

    def __init__(
        self,
        array: np.ndarray,
        rows: np.ndarray,
        labels: np.ndarray | None,
        device: torch.device | str,
        known_anomalies: np.ndarray | None = None,
    ):
        self.device = torch.device(device)
        self.scale = torch.ones((), device=self.device)
        self.known_anomalies = None if known_anomalies is None else TrainingImages(array, known_anomalies, None, device)
        self.labels = None if labels is None else torch.as_tensor(labels, dtype=torch.float32, device=self.device)
        self._pool, self._rows = torch.from_numpy(array), torch.as_tensor(rows)
        self._function: Callable[[Tensor], Tensor] | None = None
        self._kept = False
        if self.device.type == "cuda":
            needed = len(rows) * self._pool[0].numel() * 4
            if needed < MAX_GPU_FRACTION * torch.cuda.mem_get_info(self.device)[0]:
                self._pool = self._pool[self._rows].to(self.device)
                self._rows = torch.arange(len(rows), device=self.device)

    def set_scale(self, scale: Tensor) -> None:
        """Set the brightness that counts as 1."""
        self.scale = scale
        if self.known_anomalies is not None:
            self.known_anomalies.set_scale(scale)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, chosen: Tensor | slice) -> Tensor:
        """The chosen images, [b, 1, pixels, pixels]."""
        if isinstance(chosen, Tensor):
            chosen = chosen.to(self._rows.device)
        images = self._pool[self._rows[chosen]].to(self.device, torch.float32).unsqueeze(1)
        if self._kept:
            return images
        images = images / self.scale
        return self._function(images) if self._function else images

    def batches(self, size: int = BATCH_SIZE) -> Iterator[Tensor]:
        """All images in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self[slice(start, start + size)]

    def through(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The same images through a function of scaled images.

        They are computed once if all fit into `MAX_KEPT_BYTES`, else for each batch.
        """
        view = copy.copy(self)
        view._function = function
        if self.known_anomalies is not None:
            view.known_anomalies = self.known_anomalies.through(function)
        if len(self) * self._pool[0].numel() * 4 <= MAX_KEPT_BYTES:
            kept = torch.empty((len(self), *self._pool.shape[1:]), device=self.device)
            for part, images in zip(kept.split(BATCH_SIZE), view.batches(), strict=True):
                part.copy_(images[:, 0])
            view._pool, view._rows, view._kept = kept, torch.arange(len(self), device=self.device), True
        return view

    def evenly_spaced(self, count: int) -> Tensor:
        """At most `count` images, evenly spaced, [b, 1, pixels, pixels]."""
        return self[torch.linspace(0, len(self) - 1, min(count, len(self))).long()]
