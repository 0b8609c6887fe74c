"""The section `contamination`: which training sets are made."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from oddlens.data.pools import Pools
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
    """Images in every training set. Of your own images without known anomalies all are used instead."""

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


def pool_size(name: str, pools: Pools, pool: str) -> str:
    """The size of the smallest class of a pool as a clause of a message."""
    size = min(pools.counts[pool].values(), default=0)
    if pools.settings == "files":
        return f"datasets.{name}.files has {size} images of role {pool}"
    return f"datasets.{name}.{pools.settings}.{pool} is {size}"


def contamination_errors(contamination: Contamination, pools: Mapping[str, Pools]) -> Iterator[str]:
    """Conflicts between the training sets and the pools of data sets, one line each."""
    images, fractions = contamination.images, [p for ps in contamination.fractions.values() for p in ps]
    empty = [p for p in fractions if round(p * images) < 1]
    if empty:
        yield f"contamination.fractions: {min(empty):g} of {images} images is none: raise either"
    if len(set(contamination.training_sets)) < len(contamination.training_sets):
        yield "contamination.fractions: two fractions agree to six digits, so their files would collide"
    for name, of_dataset in pools.items():
        yield from _pool_errors(contamination, name, of_dataset)


def _pool_errors(contamination: Contamination, name: str, pools: Pools) -> Iterator[str]:
    if pools.as_given:
        return
    images, smooth_images = contamination.images, pools.count("train", pools.smooth)
    if images > smooth_images:
        yield (
            f"contamination.images is {images}, but {pool_size(name, pools, 'train')}: raise the pool or lower the set"
        )
    contaminants = pools.counts["contaminant"]
    if not contaminants:
        yield f"datasets.{name}.substructure: there is no anomaly class left to be found"
        return
    known = [*contaminants, MIXED]
    for contaminant, fractions in contamination.fractions.items():
        if contaminant not in known:
            yield (
                f"contamination.fractions: unknown contaminant '{contaminant}' for data set '{name}'. "
                + nearest(contaminant, known)
            )
        elif fractions:
            largest = max(fractions)
            counts = counts_by_class({contaminant: round(largest * images)}, list(contaminants))
            short = {cls: needed for cls, needed in counts.items() if needed > contaminants[cls]}
            if short:
                yield (
                    f"{pool_size(name, pools, 'contaminant')}, but contaminating {images} images with {largest:.0%} "
                    f"{contaminant} takes {max(short.values())} of a class: raise it or lower contamination.images"
                )
