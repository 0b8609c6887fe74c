"""The section `contamination`: which training sets are made."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from oddlens.config.dataset import Dataset
from oddlens.data.training_sets import CLEAN_SET, MIXED, training_set_name
from oddlens.schema.config_errors import nearest
from oddlens.schema.section import Section


class Contamination(Section):
    """The training sets: for each contaminant its fractions n_anomalous / n_total, for each seed.

    The clean training set is always made.
    """

    fractions: dict[str, list[Annotated[float, Field(ge=1e-4, le=0.5)]]]
    """Fractions n_anomalous / n_total of each contaminant: a class, or `mixed`."""
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1)]
    """Each seed gives its own training sets and its own models."""
    images: PositiveInt
    """Images in every training set."""

    @field_validator("seeds", "fractions")
    @classmethod
    def _no_repeats(cls, value: Any) -> Any:
        for entries in value.values() if isinstance(value, dict) else [value]:
            if len(set(entries)) < len(entries):
                raise ValueError(f"{entries!r} names something twice")
        return value

    @property
    def training_sets(self) -> list[str]:
        """The names of the training sets without labels, the clean one first."""
        contaminated = (
            training_set_name(kind, p) for kind, fractions in self.fractions.items() for p in sorted(fractions)
        )
        return [CLEAN_SET, *contaminated]

    def max_anomalies(self, anomalies: list[str]) -> dict[str, int]:
        """The largest number of images of each anomaly class in a training set."""
        counts = [
            counts_by_class({kind: round(p * self.images)}, anomalies)
            for kind, fractions in self.fractions.items()
            for p in fractions
        ]
        return {cls: max((of[cls] for of in counts), default=0) for cls in anomalies}


def counts_by_class(counts: Mapping[str, int], classes: list[str]) -> dict[str, int]:
    """Numbers of images of each contaminant as numbers of each class; a mixture takes the classes in turn."""
    mixed = counts.get(MIXED, 0)
    return {cls: counts.get(cls, 0) + (mixed + len(classes) - 1 - k) // len(classes) for k, cls in enumerate(classes)}


def contamination_errors(contamination: Contamination, datasets: Mapping[str, Dataset]) -> Iterator[str]:
    """Conflicts between the training sets and the data sets, one line each."""
    images, fractions = contamination.images, [p for ps in contamination.fractions.values() for p in ps]
    empty = [p for p in fractions if round(p * images) < 1]
    if empty:
        yield f"contamination.fractions: {min(empty):g} of {images} images is none: raise either"
    if len(set(contamination.training_sets)) < len(contamination.training_sets):
        yield "contamination.fractions: two fractions agree to six digits, so their files would collide"
    for name, dataset in datasets.items():
        yield from _pool_errors(contamination, name, dataset)


def _pool_errors(contamination: Contamination, name: str, dataset: Dataset) -> Iterator[str]:
    images, pools = contamination.images, dataset.images
    if images > pools.train:
        yield (
            f"contamination.images is {images}, more than datasets.{name}.images.train = {pools.train}: "
            "raise the pool or lower the set"
        )
    if not dataset.anomalies:
        yield f"datasets.{name}.substructure: there is no anomaly class left to be found"
        return
    known = [*dataset.anomalies, MIXED]
    for contaminant, fractions in contamination.fractions.items():
        if contaminant not in known:
            yield (
                f"contamination.fractions: unknown contaminant '{contaminant}' for data set '{name}'. "
                + nearest(contaminant, known)
            )
        elif fractions:
            largest = max(fractions)
            needed = max(counts_by_class({contaminant: round(largest * images)}, dataset.anomalies).values())
            if needed > pools.contaminant:
                yield (
                    f"datasets.{name}.images.contaminant is {pools.contaminant}, but contaminating {images} images "
                    f"with {largest:.0%} {contaminant} takes {needed} of a class: raise it or lower "
                    "contamination.images"
                )
