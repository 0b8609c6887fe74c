"""Apply a published model to images in files; what cannot be scored is told, and the rest goes on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from oddlens.detectors.interface.base import OTHER_SCALE
from oddlens.observations import image_files
from oddlens.observations.image_files import SAME_SCALE, SCALE_STANDS, Stack
from oddlens.pretrained.published_models import Pretrained

AT_ONCE = 2048
"""Images that are scored together, however many files they come from."""


@dataclass(frozen=True)
class Judged:
    """An image and what a model says of it, or why it says nothing."""

    label: str
    image: np.ndarray | None = None
    """As the model saw it, [pixels, pixels]."""
    note: str = ""
    """What was done to the image before."""
    problem: str = ""
    score: float = float("nan")
    chance: float = float("nan")
    """That a smooth lens scores as high."""
    findings: dict[str, float] = field(default_factory=dict)


def judged(model: Pretrained, paths: Sequence[Path], **how: Any) -> Iterator[Judged]:
    """All images of some files, in order; `how` files are read, see `imagefiles.read`."""
    waiting: list[Judged] = []
    for path in paths:
        try:
            for stack in image_files.read(path, **how):
                for entry in _admitted(model, stack):
                    waiting.append(entry)
                    if len(waiting) == AT_ONCE:
                        yield from _scored(model, waiting)
                        waiting = []
        except (OSError, ValueError) as error:
            waiting.append(Judged(str(path), problem=str(error)))
    yield from _scored(model, waiting)


def _admitted(model: Pretrained, stack: Stack) -> Iterator[Judged]:
    """The images of a stack as the model takes them: as they are, or brought to that.

    Raises:
        ValueError: for all of them, if they are others than the model's and nobody says how.
    """
    shape, scale, wanted = stack.images.shape[1:], stack.pixel_scale_arcsec, model.pixel_scale_arcsec
    fits = shape == (model.pixels, model.pixels)
    if scale is None and not fits:
        raise ValueError(
            f"{shape[0]} x {shape[1]} pixels of unknown scale, and {model.name} takes {model.pixels} x {model.pixels} "
            f'of {wanted:g}". {SCALE_STANDS}'
        )
    own = fits and scale is not None and abs(scale / wanted - 1) <= SAME_SCALE
    for label, image in zip(stack.labels, stack.images, strict=True):
        note = ""
        try:
            if scale is None or own:
                image = np.asarray(image, np.float32)
            else:
                from oddlens.observations import (
                    frames,  # astropy's models, which images of the model's own geometry do not need
                )

                image, note = frames.bring(frames.frame_of(label, image, scale, **stack.beside), model.target)
            _check(model, image)
            yield Judged(label, image, note)
        except (ValueError, RuntimeError) as error:  # the second: of a fit that fails
            yield Judged(label, problem=str(error))


def _check(model: Pretrained, image: np.ndarray) -> None:
    """Raise a ValueError if a model cannot take an image of the right shape."""
    seen = image[np.isfinite(image)]
    if not len(seen) or np.isinf(image).any() or (len(seen) < image.size and not model.detector.masks):
        raise ValueError(
            f"{image.size - len(seen)} of its {image.size} pixels are not finite, which {model.name} cannot look at: "
            "give a larger cut-out with its pixel scale, or fill them"
        )
    peak, usual = float(seen.max()), float(model.detector.scale)
    if not 1 / OTHER_SCALE < peak / usual < OTHER_SCALE:
        raise ValueError(
            f"its brightest pixel is {peak:.3g} and those of {model.name} about {usual:.3g} electrons / s: bring it "
            "to that unit"
        )


def _scored(model: Pretrained, waiting: list[Judged]) -> Iterator[Judged]:
    """The same with scores."""
    images = [entry.image for entry in waiting if entry.image is not None]
    if not images:
        yield from waiting
        return
    try:
        scores, findings = model.detector.examined(np.stack(images))
    except FloatingPointError as error:
        if len(images) == 1:
            yield from (replace(entry, problem=str(error)) if entry.image is not None else entry for entry in waiting)
        else:
            for entry in waiting:
                yield from _scored(model, [entry])
        return
    rows = iter(zip(scores, model.false_alarm(scores), range(len(scores)), strict=True))
    for entry in waiting:
        if entry.image is None:
            yield entry
        else:
            score, chance, k = next(rows)
            found = {name: float(values[k]) for name, values in findings.items()}
            yield replace(entry, score=float(score), chance=float(chance), findings=found)
