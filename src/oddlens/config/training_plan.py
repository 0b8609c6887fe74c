"""What is trained in a study: the training sets and labels of each row, and which rows share models."""

from collections.abc import Iterable

from oddlens.config.detector_row import DetectorRow
from oddlens.config.study import Study
from oddlens.data.pools import Pools
from oddlens.data.training_sets import CLEAN_SET, LABELLED_SET


def training_sets(study: Study, pools: Pools) -> list[str]:
    """The names of all training sets of each seed on a data set, the clean one first."""
    if pools.as_given:
        return [CLEAN_SET]
    labelled = [LABELLED_SET] if any(row.needs == "labels" for row in study.detectors.values()) else []
    return [*study.contamination.training_sets, *labelled]


def training_sets_of(study: Study, name: str, pools: Pools | None = None) -> list[str]:
    """The training sets of a row on a data set, or on one that has contaminants; see `DetectorRow.training_sets`.

    A data set without contaminants has one training set, which is used as it is.
    """
    sets = study.detectors[name].training_sets(study.contamination)
    return sets[:1] if pools is not None and pools.as_given else sets


def labels_of(study: Study, name: str, pools: Pools) -> dict[str, int]:
    """How many images of each class of a data set are labelled for a row."""
    return study.detectors[name].labels_by_class(list(pools.counts["contaminant"]))


def labelled_counts(study: Study, pools: Pools, rows: Iterable[str]) -> dict[str, int]:
    """How many images of each class of a data set are labelled for some row, without classes that have none."""
    counts = [labels_of(study, name, pools) for name in rows]
    classes = [pools.smooth, *pools.counts["contaminant"]]
    largest = {cls: max((of[cls] for of in counts), default=0) for cls in classes}
    return {cls: count for cls, count in largest.items() if count}


def model_row(study: Study, name: str) -> str:
    """The row whose models a row scores with: the first that is trained alike, on at least the same training sets.

    Rows that differ only in settings that their scores read need no models of their own.
    """

    def recipe(row: DetectorRow) -> tuple:
        # `refine` trains again without the highest scores, so the score is then a part of the training.
        only_scored = {} if row.training.robust == "refine" else row.scoring
        trained = {key: value for key, value in row.settings.items() if key not in only_scored}
        return row.detector, trained, row.training, row.labels, row.input

    own, needed = recipe(study.detectors[name]), set(training_sets_of(study, name))
    alike = (other for other, row in study.detectors.items() if recipe(row) == own)
    return next(other for other in alike if needed <= set(training_sets_of(study, other)))
