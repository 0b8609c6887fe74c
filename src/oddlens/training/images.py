"""Training images, batch by batch: a view of an array that may be a file larger than memory."""

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

RESIDENT = 0.5
"""The part of a GPU's free memory that images may take; larger sets stay where they are and come batch by batch."""


def total(parts: Iterable[Tensor]) -> Tensor:
    """The sum of tensors that come one by one."""
    return functools.reduce(torch.add, parts)


class Images:
    """Some rows of an array [n, pixels, pixels] as scaled tensors [b, 1, pixels, pixels] on a device.

    The array is never copied as a whole unless it fits on a GPU: a memory-mapped one is read as batches ask for it.
    `odd` are other rows of it, of images that are known to be odd, in the same units; None if there are none.
    """

    def __init__(
        self,
        array: np.ndarray,
        rows: np.ndarray,
        labels: np.ndarray | None,
        device: torch.device | str,
        odd: np.ndarray | None = None,
    ):
        self.device = torch.device(device)
        self.scale = torch.ones((), device=self.device)
        self.odd = None if odd is None else Images(array, odd, None, device)
        self.labels = None if labels is None else torch.as_tensor(labels, dtype=torch.float32, device=self.device)
        self._pool, self._rows = torch.from_numpy(array), torch.as_tensor(rows)
        if self.device.type == "cuda":
            needed = len(rows) * self._pool[0].numel() * 4
            if needed < RESIDENT * torch.cuda.mem_get_info(self.device)[0]:
                self._pool = self._pool[self._rows].to(self.device)
                self._rows = torch.arange(len(rows), device=self.device)

    def measured(self, scale: Tensor) -> None:
        """Set the brightness that is 1."""
        self.scale = scale
        if self.odd is not None:
            self.odd.measured(scale)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, chosen: Tensor | slice) -> Tensor:
        """The chosen images, [b, 1, pixels, pixels]."""
        if isinstance(chosen, Tensor):
            chosen = chosen.to(self._rows.device)
        return self._pool[self._rows[chosen]].to(self.device, torch.float32).unsqueeze(1) / self.scale

    def batches(self, size: int = 1024) -> Iterator[Tensor]:
        """All images in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self[slice(start, start + size)]

    def seen(self, how: Callable[[Tensor], Tensor]) -> "Seen":
        """The same images as something sees them."""
        return Seen(self, how)

    def some(self, count: int) -> Tensor:
        """At most `count` images, evenly spaced."""
        return self[torch.linspace(0, len(self) - 1, min(count, len(self))).long()]


@dataclass(frozen=True)
class Seen:
    """Images through a function of them, batch by batch."""

    images: Images
    how: Callable[[Tensor], Tensor]

    def __len__(self) -> int:
        return len(self.images)

    def batches(self) -> Iterator[Tensor]:
        """All of them in order, some at a time."""
        return map(self.how, self.images.batches())
