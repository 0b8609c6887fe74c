"""The section `detectors.<row>` after merging: a detector with its settings and its way of training."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from oddlens.config import detector_registry
from oddlens.config.contamination import Contamination, counts_by_class, pool_size
from oddlens.config.training import Training
from oddlens.data.pools import Pools
from oddlens.data.training_sets import CLEAN_SET, LABELLED_SET, MIXED
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.schema.config_errors import nearest
from oddlens.schema.section import Section

Input = Literal["images", "residual", "scan"]
"""What a network gets: images, the noise-normalised residuals of the study's lens fit, or the map of its scan for
masses (`oddlens.stages.residual_inputs`)."""


class DetectorRow(Section):
    """A row of the comparison: a detector with its settings and its way of training."""

    detector: str
    """The file in `src/oddlens/detectors`."""
    training: Training
    settings: dict[str, Any]
    """The keyword arguments of the detector's constructor."""
    labels: Annotated[dict[str, PositiveInt], Field(default_factory=dict)]
    """How many images of a contaminant are labelled as anomalies. An upper bound gets as many labelled smooth ones."""
    ablates: str | None = None
    """The row that this row is an ablation of."""
    sweep: str | None = None
    """The sweep that this row is a candidate of."""
    contaminated: bool = True
    """Whether the row is trained on contaminated training sets, too. The default is false for ablations, else true."""
    input: Input = "images"
    """What the detector gets: images, or what the study's lens fit makes of them."""

    @property
    def role(self) -> str:
        """The role of the row: `detector`, `control`, `reference`, `upper_bound`, `ablation` or `candidate`."""
        if self.ablates or self.sweep:
            return "ablation" if self.ablates else "candidate"
        return detector_registry.role(self.detector)

    @property
    def needs(self) -> str | None:
        """What the detector needs besides images: `labels` or `truth`."""
        return detector_registry.needs(self.detector)

    @property
    def fits_lenses(self) -> bool:
        """Whether the detector fits lenses."""
        return detector_registry.takes_simulation(self.detector)

    @property
    def scoring(self) -> dict[str, Any]:
        """The settings that only the score reads."""
        return {key: self.settings[key] for key in detector_registry.scoring(self.detector)}

    def training_sets(self, contamination: Contamination) -> list[str]:
        """The training sets of the row: the labelled one if it needs labels, else all without labels, or the clean one
        only."""
        if self.needs == "labels":
            return [LABELLED_SET]
        return contamination.training_sets if self.contaminated else [CLEAN_SET]

    def labels_by_class(self, anomalies: list[str]) -> dict[str, int]:
        """How many images of each class are labelled; smooth ones for an upper bound only."""
        counts = counts_by_class(self.labels, anomalies)
        return {SMOOTH: sum(counts.values()) if self.needs == "labels" else 0, **counts}


def fitting_row(rows: Mapping[str, DetectorRow]) -> str | None:
    """The row whose lens fit makes the residual inputs: the first that fits lenses."""
    return next((name for name, row in rows.items() if row.fits_lenses), None)


def row_errors(rows: Mapping[str, DetectorRow], contamination: Contamination) -> Iterator[str]:
    """Conflicts between the rows, and of rows with the training sets, one line each."""
    for name, row in rows.items():
        batch, images = row.training.batch_size, contamination.images
        if row.needs != "labels" and batch > images:
            where = f"detectors.{name}.training.batch_size"
            yield f"{where} is {batch}, more than contamination.images = {images}: lower it"
        if row.input != "images":
            yield from input_errors(f"detectors.{name}", row.input, rows)
            if row.fits_lenses or row.needs == "truth":
                yield f"detectors.{name}.input: {row.detector} needs images themselves"
        if row.ablates and row.ablates not in rows:
            yield f"detectors.{name} ablates '{row.ablates}', which `only` leaves out: name it too"
        if row.labels and not detector_registry.takes_labels(row.detector):
            able = ", ".join(filter(detector_registry.takes_labels, detector_registry.detectors()))
            yield f"detectors.{name}.labels: {row.detector} cannot use labels; {able} can"


def input_errors(where: str, given: Input, rows: Mapping[str, DetectorRow]) -> Iterator[str]:
    """Conflicts of an `input` other than images."""
    if fitting_row(rows) is None:
        yield (
            f"{where}.input is {given}, and no row fits lenses: add one of "
            f"{', '.join(detector_registry.fitting_detectors())}, or name it in `only`, too"
        )


def batch_errors(rows: Mapping[str, DetectorRow], dataset: str, pools: Pools) -> Iterator[str]:
    """Rows whose batches are larger than the training pool of a data set that is used as it is, one line each."""
    for name, row in rows.items():
        if (batch := row.training.batch_size) > pools.count("train", pools.smooth):
            yield f"{pool_size(dataset, pools, 'train')}, but detectors.{name}.training.batch_size is {batch}: lower it"


def label_errors(
    rows: Mapping[str, DetectorRow], dataset: str, pools: Pools, contamination: Contamination
) -> Iterator[str]:
    """Conflicts between the labels of rows and the pools of a data set, one line each."""
    contaminants = pools.counts["contaminant"]
    for name, row in rows.items():
        if row.needs == "labels" and not pools.contaminants:
            yield f"detectors.{name} is trained with labels: every data set needs images.contaminant > 0"
        known = [*contaminants, MIXED]
        for kind in row.labels:
            if kind not in known:
                where = f"detectors.{name}.labels"
                yield f"{where}: unknown class '{kind}' for data set '{dataset}'. {nearest(kind, known)}"
        if contaminants:
            yield from _label_counts(name, row, dataset, pools, contamination)


def _label_counts(
    name: str, row: DetectorRow, dataset: str, pools: Pools, contamination: Contamination
) -> Iterator[str]:
    anomalies = list(pools.counts["contaminant"])
    labels, in_training = row.labels_by_class(anomalies), contamination.max_anomalies(anomalies)
    smooth = labels.pop(SMOOTH)
    if smooth > pools.count("train", SMOOTH):
        yield (
            f"{pool_size(dataset, pools, 'train')}, but detectors.{name}.labels labels {smooth} "
            "anomalies and takes as many smooth images: raise it"
        )
    for cls, count in labels.items():
        if count and count + in_training[cls] > pools.count("contaminant", cls):
            yield (
                f"{pool_size(dataset, pools, 'contaminant')}, but a training set contains "
                f"{in_training[cls]} {cls} and detectors.{name}.labels labels {count} others: raise it"
            )
