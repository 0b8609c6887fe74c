"""Score the images of files by a published model. An image that cannot be scored gets the reason instead."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from oddlens.lensing.grids import SCALE_TOLERANCE
from oddlens.observations.reading import image_files
from oddlens.observations.reading.image_stacks import DEFAULT_READING, ImageStack, Reading
from oddlens.observations.reading.pixel_scale import SCALE_HELP
from oddlens.observations.units import check_set, unit_problems
from oddlens.pretrained.published_models import PublishedModel

BATCH_SIZE = 2048
"""Images that are scored together. A batch may hold the images of several files."""


@dataclass(frozen=True)
class ScoredImage:
    """An image with its score, or with the problem that prevents one."""

    label: str
    image: np.ndarray | None = None
    """The input of the model, [pixels, pixels]."""
    note: str = ""
    """How the image was brought to the geometry of the model, or what was assumed; empty if neither."""
    matched: bool = False
    """Whether it is a real frame that was changed to look like an image of the model."""
    problem: str = ""
    score: float = float("nan")
    false_alarm_probability: float = float("nan")
    """The probability that a smooth lens scores as high or higher."""
    findings: dict[str, float] = field(default_factory=dict)


def score_files(
    model: PublishedModel, references: Sequence[str | Path], reading: Reading = DEFAULT_READING
) -> Iterator[ScoredImage]:
    """Score all images of some files, of parts of them, or of folders (`image_files.read`), in order."""
    batch: list[ScoredImage] = []
    for reference in references:
        try:
            for stack in image_files.read(reference, reading):
                for entry in _prepared(model, stack):
                    batch.append(entry)
                    if len(batch) == BATCH_SIZE:
                        yield from _scored(model, batch)
                        batch = []
        except (OSError, ValueError) as error:
            batch.append(ScoredImage(str(reference), problem=str(error)))
    yield from _scored(model, batch)


def _prepared(model: PublishedModel, stack: ImageStack) -> Iterator[ScoredImage]:
    """The images of a stack in the geometry of the model, unchanged if they have it already."""
    shape, scale, wanted = stack.images.shape[1:], stack.pixel_scale_arcsec, model.pixel_scale_arcsec
    as_is = shape == (model.pixels, model.pixels) and (scale is None or abs(scale / wanted - 1) <= SCALE_TOLERANCE)
    try:
        if stack.problem:
            raise ValueError(stack.problem)
        if scale is None and not as_is:
            raise ValueError(
                f"{shape[0]} x {shape[1]} pixels of unknown scale, and {model.name} takes {model.pixels} x "
                f'{model.pixels} of {wanted:g}". {SCALE_HELP}'
            )
        if as_is:
            check_set(stack.images)
    except ValueError as error:
        yield ScoredImage(stack.label, problem=str(error))
        return
    problems = unit_problems(stack.images, model.expected_pixels) if as_is else itertools.repeat("")
    for k, (label, image, problem) in enumerate(zip(stack.labels, stack.images, problems, strict=as_is)):
        try:
            if as_is:
                image, note = np.asarray(image, np.float32), _assumption(model, stack)
            else:
                # They import astropy.modeling, which only real frames need.
                from oddlens.observations.frames import frame_of, mask_bright_spots
                from oddlens.observations.matching import match_frame

                matched = match_frame(mask_bright_spots(frame_of(stack, k, label)), model.target)
                image, note = matched.image, matched.description
            _check(model, image, problem)
            yield ScoredImage(label, image, note, matched=not as_is)
        except (ValueError, RuntimeError) as error:  # RuntimeError: a fit of the lens light failed
            yield ScoredImage(label, problem=str(error))


def _assumption(model: PublishedModel, stack: ImageStack) -> str:
    """What is assumed of FITS images without a pixel scale; arrays are in the geometry of the model by definition."""
    if stack.pixel_scale_arcsec is not None or not stack.has_header:
        return ""
    return (
        f'The file has no pixel scale; its pixels are taken to be those of {model.name}, {model.pixel_scale_arcsec:g}".'
    )


def _check(model: PublishedModel, image: np.ndarray, problem: str) -> None:
    """Raise a ValueError if the pixels of an image are not finite, or with the problem of their unit."""
    finite = np.isfinite(image)
    if not finite.any() or np.isinf(image).any() or not (finite.all() or model.detector.masks):
        raise ValueError(
            f"{np.sum(~finite)} of its {image.size} pixels are not finite, which {model.name} does not "
            "support: give a larger cut-out with its pixel scale, or fill them"
        )
    if problem:
        raise ValueError(problem)


def _scored(model: PublishedModel, batch: list[ScoredImage]) -> Iterator[ScoredImage]:
    """The same images with scores. If a score is not finite, the images are scored one by one."""
    images = [entry.image for entry in batch if entry.image is not None]
    if not images:
        yield from batch
        return
    try:
        scores, findings = model.detector.scores_and_findings(np.stack(images))
    except FloatingPointError as error:
        if len(images) == 1:
            yield from (replace(entry, problem=str(error)) if entry.image is not None else entry for entry in batch)
        else:
            for entry in batch:
                yield from _scored(model, [entry])
        return
    rows = iter(zip(scores, model.false_alarm_probability(scores), range(len(scores)), strict=True))
    for entry in batch:
        if entry.image is None:
            yield entry
        else:
            score, probability, k = next(rows)
            own = {name: float(values[k]) for name, values in findings.items()}
            yield replace(entry, score=float(score), false_alarm_probability=float(probability), findings=own)
