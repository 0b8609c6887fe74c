"""The section `real.<name>.fit`: fits of real lenses at their own resolution."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from oddlens.schema.section import Section


class LensFits(Section):
    """Fits of real lenses, and of simulated twins of each (`oddlens.observations.modelling`)."""

    twins: NonNegativeInt = 100
    """Smooth twins of each lens. With n of them a false-alarm probability is at least 1 / (n + 1)."""
    twins_of: Annotated[dict[str, NonNegativeInt], Field(default_factory=dict)]
    """Another number for some lenses, by their names: candidates need many."""
    planted: NonNegativeInt = 100
    """Twins of each lens with a planted mass, for the masses that can be detected."""
    planted_of: Annotated[dict[str, NonNegativeInt], Field(default_factory=dict)]
    """Another number for some lenses, by their names."""
    twins_per_job: PositiveInt = 20
    """Twins that one job simulates and fits, about a minute each."""
    radius_arcsec: PositiveFloat | None = None
    """Of the circle that holds each lens and its arcs. The default is as large as the frame allows, up to 3.5."""
