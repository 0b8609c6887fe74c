"""The section `detection`: the false-alarm rates and the bins of the tables of detected fractions."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from oddlens.schema.section import Section


class Detection(Section):
    """The detected fraction of each class at fixed false-alarm rates (`oddlens.results.tables.detection`)."""

    false_alarm_rates: Annotated[list[Annotated[float, Field(gt=0, le=0.5)]], Field(min_length=1, max_length=10)] = (
        Field(default=[0.1, 0.01, 0.001])
    )
    """Fractions of smooth test images above the thresholds, in descending order."""
    mass_bins_per_decade: Annotated[PositiveInt, Field(le=10)] = 2
    """Bins in a factor of ten of mass, or of concentration."""
    localised_arcsec: PositiveFloat = 0.2
    """The largest distance at which a perturber that was found counts as localised."""

    @field_validator("false_alarm_rates")
    @classmethod
    def _descending(cls, rates: list[float]) -> list[float]:
        if sorted(set(rates), reverse=True) != rates:
            wanted = sorted(set(rates), reverse=True)
            raise ValueError(f"{rates} is not in descending order without repetitions: write {wanted}")
        return rates
