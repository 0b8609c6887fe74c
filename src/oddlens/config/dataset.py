"""The section `datasets.<name>`: a simulation, and how many images of it each pool has."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from oddlens.config.injection import Injection, fitted_simulation
from oddlens.config.names import Name
from oddlens.config.variants import Variant, twin, variant_errors
from oddlens.data.pools import Pools
from oddlens.lensing.simulation import Simulation
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.schema.section import Section

MAX_SHARDS = 100_000
"""Shards of a class in a pool: Snakemake could not plan more."""


class ImageCounts(Section):
    """The numbers of images in the pools: of each class, where a pool has several."""

    train: PositiveInt
    """Smooth images in the training pool."""
    contaminant: NonNegativeInt
    """Images of each anomaly class that may contaminate training sets."""
    validation: PositiveInt
    """Smooth images that no detector is trained on and no AUC uses."""
    test: Annotated[int, Field(ge=2)]
    """Test images of each class."""
    per_shard: PositiveInt = 10_000
    """Images in one HDF5 file. The memory of a job grows with it."""

    @model_validator(mode="after")
    def _shards_can_be_planned(self) -> "ImageCounts":
        images = max(self.train, self.contaminant, self.validation, self.test)
        if images > MAX_SHARDS * self.per_shard:
            raise ValueError(
                f"{images} images in shards of {self.per_shard} are more than {MAX_SHARDS} shards: raise per_shard"
            )
        return self


class Dataset(Simulation):
    """A data set: a simulation, and the numbers of images in its pools."""

    images: ImageCounts
    reproduces: Literal["model_a", "model_b"] | None = None
    """The published data set that its AUCs are compared with. The default is the one of its own name, if any."""
    inject: Injection | None = None
    """Masses that are injected into test images, to measure completeness."""
    variants: Annotated[dict[Name, Variant], Field(default_factory=dict)]
    """Further classes of test images, each of a simulation that differs from this one; those of `smooth` are decoys."""

    @model_validator(mode="after")
    def _variants_can_be_made(self) -> "Dataset":
        variant_errors(self, self.variants)
        return self

    @model_validator(mode="after")
    def _masses_can_be_injected(self) -> "Dataset":
        if self.inject:
            try:
                fitted_simulation(self.inject, self, self.has_noise)
            except ValueError as error:
                raise ValueError(f"inject {error}") from None
        return self

    @property
    def has_noise(self) -> bool:
        """Whether images have noise in whose units a fit can measure."""
        return self.camera.noise != "none"

    @property
    def anomalies(self) -> list[str]:
        """The anomaly classes of the test pool."""
        return [*self.substructure, *(name for name in self.variants if name not in self.decoys)]

    @property
    def decoys(self) -> list[str]:
        """The classes of the test pool without substructure that must not be flagged, besides `smooth`."""
        return [name for name, variant in self.variants.items() if variant.of == SMOOTH]

    @property
    def classes(self) -> list[str]:
        """All classes of the test pool: `smooth` first, decoys last."""
        return [SMOOTH, *self.anomalies, *self.decoys]

    def made_of(self, cls: str) -> str:
        """The class whose substructure the images of a class have: its own, or that which a variant is made of."""
        return self.variants[cls].of if cls in self.variants else cls

    def twin_of(self, cls: str) -> str:
        """The class of the twins of a class: the same lenses without substructure, `smooth` but for some variants."""
        return twin(self, self.variants, cls)

    def simulation_of(self, cls: str) -> Simulation:
        """What determines the images of a class."""
        variant = self.variants.get(cls)
        return self.only(cls) if variant is None else variant.over(self).only(variant.of)

    @property
    def pools(self) -> Pools:
        """The numbers of images of each pool and class."""
        contaminants = list(self.substructure)
        classes = {"train": [SMOOTH], "contaminant": contaminants, "validation": [SMOOTH], "test": self.classes}
        counts = {pool: dict.fromkeys(of_pool, getattr(self.images, pool)) for pool, of_pool in classes.items()}
        return Pools(counts, SMOOTH, self.images.per_shard, "images")


def exposure_groups(datasets: Mapping[str, Dataset]) -> dict[str, str]:
    """The data sets whose simulations differ in the exposure only, each with the first of its group."""
    groups: dict[str, list[str]] = {}
    for name, dataset in datasets.items():
        simulation = {key: value for key, value in dataset.plain().items() if key in Simulation.model_fields}
        simulation["camera"] = {key: value for key, value in simulation["camera"].items() if key != "exposure_s"}
        groups.setdefault(str(simulation), []).append(name)
    return {name: names[0] for names in groups.values() if len(names) > 1 for name in names}
