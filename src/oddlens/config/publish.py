"""The section `publish`: the rows of each data set whose models are published in `pretrained/`."""

from collections.abc import Iterator, Mapping

from oddlens.config.dataset import Dataset
from oddlens.config.detector_row import DetectorRow
from oddlens.schema.config_errors import nearest


def publish_errors(
    publish: Mapping[str, list[str]], datasets: Mapping[str, Dataset], rows: Mapping[str, DetectorRow]
) -> Iterator[str]:
    """Conflicts between this section and the others, one line each."""
    for dataset, names in publish.items():
        if dataset not in datasets:
            yield f"publish: unknown data set '{dataset}'. {nearest(dataset, datasets)}"
        for name in names:
            row = rows.get(name)
            if row is None:
                yield f"publish.{dataset}: unknown row '{name}'. {nearest(name, rows)}"
            elif row.input != "images" or row.needs == "truth":
                yield f"publish.{dataset}: {name} does not score images alone, it needs what only a study has"
