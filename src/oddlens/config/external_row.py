"""The section `detectors.<row>` of a row whose scores another program computed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from oddlens.schema.config_errors import nearest
from oddlens.schema.section import Section

ROLE = "external"
"""The role of such rows in tables and figures."""


class ExternalRow(Section):
    """A row of scores that another program computed. Nothing is trained for it."""

    scores: str
    """A table with a line for each test and validation image (`oddlens.results.tables.external_scores`)."""
    higher_is: Literal["more_anomalous", "more_normal"]
    """What a higher score means. It has no default, because it cannot be told from scores without labels."""
    name: str | None = None
    """What computed the scores, for the report. The default is the name of the table."""
    datasets: list[str] | None = None
    """The data sets that the table has scores of. The default is all data sets of the study."""

    @property
    def description(self) -> str:
        """What computed the scores."""
        return self.name or f"Scores of {Path(self.scores).name}"


def is_external(row: Mapping[str, Any]) -> bool:
    """Whether a row, as written or resolved, has outside scores."""
    return row.get("scores") is not None


def external_errors(rows: Mapping[str, ExternalRow], datasets: Mapping[str, Any]) -> Iterator[str]:
    """Conflicts between rows of outside scores and the data sets, one line each."""
    for name, row in rows.items():
        for dataset in row.datasets or ():
            if dataset not in datasets:
                yield f"detectors.{name}.datasets: unknown data set '{dataset}'. {nearest(dataset, datasets)}"


def without_scores(rows: Mapping[str, ExternalRow], dataset: str) -> dict[str, str]:
    """The rows that have no scores of a data set, each with the reason."""
    return {
        name: f"its table has scores of {', '.join(row.datasets)} alone"
        for name, row in rows.items()
        if row.datasets is not None and dataset not in row.datasets
    }
