"""The section `datasets.<name>.variants`: further test classes, each of a simulation that differs from the data set's.

A variant has the random numbers of the class that it is made `of`, and those of its twins, so that images of one index
show the same lens, source and noise but for what the variant changes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import Field

from oddlens.config.merging import merged
from oddlens.data.pools import UNLABELLED
from oddlens.data.pseudo_anomalies import PSEUDO_ANOMALY
from oddlens.data.training_sets import CLEAN, LABELLED, MIXED
from oddlens.lensing import substructure_classes
from oddlens.lensing.simulation import Simulation
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.schema.config_errors import ConfigError, ErrorCollector, nearest, validated
from oddlens.schema.section import Section

RESERVED = (UNLABELLED, PSEUDO_ANOMALY, CLEAN, LABELLED, MIXED, "all", "any", "good")
"""Words that tables and folders use for other things than a class."""
SECTIONS = tuple(Simulation.model_fields)
KEPT = ("pixels", "pixel_scale_arcsec")
"""Keys of the camera that all images of a data set have in common."""


class Variant(Section):
    """A further class of test images. Its sections are laid over those of the data set; a null removes a key.

    A variant of `smooth` is a decoy: a lens without substructure that must not be flagged.
    """

    of: str
    """The class whose images these are. Variants of `smooth` are decoys, all others are anomalies."""
    lens: Annotated[dict[str, Any], Field(default_factory=dict)]
    """What differs in the lens."""
    source: Annotated[dict[str, Any], Field(default_factory=dict)]
    """What differs in the source."""
    substructure: Annotated[dict[str, Any], Field(default_factory=dict)]
    """What differs in the priors of substructure, by class."""
    camera: Annotated[dict[str, Any], Field(default_factory=dict)]
    """What differs in the camera."""

    def over(self, simulation: Simulation) -> Simulation:
        """The simulation of a data set with what differs.

        Raises:
            ConfigError: the result is no simulation, or lacks the class of the variant.
        """
        below = {name: section for name, section in simulation.plain().items() if name in SECTIONS}
        found = validated(Simulation, merged(below, {name: getattr(self, name) for name in SECTIONS}))
        known = [SMOOTH, *found.substructure]
        if self.of not in known:
            raise ConfigError(f"of: the data set has no class '{self.of}'. {nearest(self.of, known)}")
        for key in KEPT:
            if (own := getattr(found.camera, key)) != (others := getattr(simulation.camera, key)):
                raise ConfigError(f"camera.{key}: is {own:g} here and {others:g} in the data set, and must be equal")
        return found


def variant_errors(simulation: Simulation, variants: Mapping[str, Variant]) -> None:
    """Refuse variants that cannot be made.

    Raises:
        ConfigError: all errors found.
    """
    errors = ErrorCollector()
    for name, variant in variants.items():
        with errors.collecting(), _named(f"variants.{name}"):
            if name in (*substructure_classes.names(), *RESERVED):
                raise ConfigError("name: a class, or another thing in tables, is called so: choose another name")
            variant.over(simulation)
    errors.raise_collected()
    for name in variants:
        with errors.collecting(), _named(f"variants.{name}"):
            twin(simulation, variants, name)
    errors.raise_collected()


def twin(simulation: Simulation, variants: Mapping[str, Variant], cls: str) -> str:
    """The class of the twins of a class: the same lenses, sources and cameras without substructure.

    Raises:
        ConfigError: there is no such class.
    """
    if cls not in variants:
        return SMOOTH
    if variants[cls].of == SMOOTH:
        return cls
    smooth = {SMOOTH: simulation} | {name: v.over(simulation) for name, v in variants.items() if v.of == SMOOTH}
    own = _without_substructure(variants[cls].over(simulation))
    found = [name for name, other in smooth.items() if _without_substructure(other) == own]
    if not found:
        raise ConfigError(
            "no smooth class has the same lens, source and camera, so that its images have no twins: add a variant of "
            "smooth with the same lens, source and camera"
        )
    return found[0]


def _without_substructure(simulation: Simulation) -> tuple:
    return simulation.lens, simulation.source, simulation.camera


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Put the place in the config before the lines of an error that is raised inside."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError("\n".join(f"{where}.{line}" for line in str(error).splitlines())) from None
