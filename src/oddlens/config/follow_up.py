"""The section `follow_up.<data set>`: the most anomalous images, fitted again with and without a perturber."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated

from pydantic import Field

from oddlens.config.dataset import Dataset
from oddlens.lensing.simulation import complexities
from oddlens.schema.config_errors import nearest
from oddlens.schema.section import Section


class FollowUp(Section):
    """The most anomalous test images of a row, to be fitted again with and without a mass
    (`oddlens.stages.follow_up`)."""

    row: str
    """The row whose most anomalous images are fitted."""
    lenses: Annotated[int, Field(ge=1, le=20)] = 3
    """How many of them."""
    live: Annotated[int, Field(ge=50)] = 150
    """Live points of the nested sampler."""


def follow_up_errors(
    follow_up: Mapping[str, FollowUp], datasets: Mapping[str, Dataset], rows: Collection[str]
) -> Iterator[str]:
    """Conflicts between the follow-ups and the other sections, one line each."""
    for dataset, entry in follow_up.items():
        if entry.row not in rows:
            yield f"follow_up.{dataset}.row: unknown row '{entry.row}'. {nearest(entry.row, rows)}"
        if dataset not in datasets:
            yield f"follow_up: unknown data set '{dataset}'. {nearest(dataset, datasets)}"
        elif beyond := complexities(datasets[dataset]):
            yield (
                f"follow_up.{dataset}: the data set has {', '.join(beyond)}, which the fitted lens models lack: "
                "remove this follow-up"
            )
