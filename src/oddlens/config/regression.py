"""The section `regression.<row>`: networks that estimate parameters of lenses and dark matter."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from oddlens.config.dataset import Dataset
from oddlens.config.detector_row import DetectorRow, Input, input_errors
from oddlens.config.training import Training
from oddlens.schema.section import Section


class Regression(Section):
    """A row of the regression: a network that estimates parameters of lens and dark matter (`oddlens.regression`)."""

    input: Input = "images"
    """What the network gets, as for detectors."""
    images: PositiveInt = 4000
    """Training images of each class, at most: the first of the pools `train` and `contaminant`."""
    held_out: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    """The fraction of these images that calibrates the network instead of training it."""
    bins: Annotated[int, Field(ge=2, le=256)] = 32
    """Bins of each estimated density. Each bin has an equal part of the training images."""
    width: Annotated[int, Field(ge=8)] = 16
    """Feature maps of the first stage. With fewer than 8, PyTorch's backward convolutions crash on some processors
    (2.11, AVX-512)."""
    stride: PositiveInt = 2
    """Stride of the first layer."""
    autoencoder: bool = False
    """Whether the network also gets the residual of an autoencoder of smooth lenses."""
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 1e-4
    training: Training
    """Overrides the common section."""

    @property
    def network(self) -> dict[str, Any]:
        """The settings of the network."""
        return {key: getattr(self, key) for key in ("width", "stride", "autoencoder", "learning_rate", "weight_decay")}


def regression_errors(
    regression: Mapping[str, Regression], datasets: Mapping[str, Dataset], rows: Mapping[str, DetectorRow]
) -> Iterator[str]:
    """Conflicts between the rows of the regression and the other sections, one line each."""
    for name, row in regression.items():
        where = f"regression.{name}"
        if row.input != "images":
            yield from input_errors(where, row.input, rows)
        if row.training.robust != "none":
            yield f"{where}.training.robust is {row.training.robust}: its labels are true, use none"
        for dataset, given in datasets.items():
            if not given.images.contaminant:
                yield f"{where} is trained with labels: datasets.{dataset}.images.contaminant must be > 0"
                continue
            fewest = min(row.images, given.images.train, given.images.contaminant)
            trained_on = fewest - round(row.held_out * fewest)
            if trained_on < row.bins:
                yield (
                    f"{where}.bins is {row.bins}, but of {dataset} it is trained on {trained_on} images of a class: "
                    "lower it, or raise the images"
                )
