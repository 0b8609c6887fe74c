"""Small pictures of what a model makes of test images: of those that it scores highest, and of the first ones."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from oddlens.detectors.evaluation.evaluation_set import EvaluationSet
from oddlens.detectors.evaluation.examples import N_EXAMPLES
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.capabilities import MapsAnomalies, Reconstructs

N_HIGHEST = 60
"""Test images of each class with the highest scores whose pictures are kept."""
MAX_SIDE = 16
"""Larger pictures are averaged down to so many pixels."""


def kept_maps(model: Detector, evaluation: EvaluationSet, scores: np.ndarray) -> dict[str, np.ndarray]:
    """What a model makes of the highest-scored and of the first test images of each class, as far as it is capable.

    The model is applied to these images alone, and nothing is scored again.

    Args:
        scores: of all images, in the order of `evaluation.names`.

    Returns:
        `class`, the number of the class of each image in `evaluation.twins.classes`, and `index`, both [n]. The others
        are [n, side, side], with NaN where nothing was observed: `reconstructions`, in the unit of the images;
        `residuals`, image minus reconstruction in units of the noise of a pixel, or the residual inputs of a model that
        gets these; `anomaly_maps`.
    """
    by_class = [_chosen(evaluation, cls, scores) for cls in evaluation.twins.classes]
    rows = np.concatenate(by_class)
    inputs = np.asarray(evaluation.inputs[rows])
    pictures: dict[str, np.ndarray] = {}
    if not evaluation.inputs_are_images:
        pictures["residuals"] = inputs
    elif isinstance(model, Reconstructs):
        pictures["reconstructions"] = model.reconstructions(inputs)
        pictures["residuals"] = _in_units_of_noise(model, inputs, pictures["reconstructions"])
    if isinstance(model, MapsAnomalies):
        pictures["anomaly_maps"] = model.anomaly_maps(inputs, truth=evaluation.truth(model, rows))
    return {
        "class": np.repeat(np.arange(len(by_class)), [len(own) for own in by_class]),
        "index": evaluation.twins.table["index"].to_numpy()[rows],
        **{name: averaged_down(images) for name, images in pictures.items()},
    }


def _chosen(evaluation: EvaluationSet, cls: str, scores: np.ndarray) -> np.ndarray:
    """The rows of the images of a class of which pictures are kept, in their order."""
    own = evaluation.twins.test_rows(cls, len(scores))
    highest = own[np.argsort(-scores[own], kind="stable")[:N_HIGHEST]]
    return np.union1d(highest, own[:N_EXAMPLES])


def _in_units_of_noise(model: Reconstructs, images: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """Residuals in units of the noise that the camera of the model gives to each pixel of the reconstruction."""
    expected = torch.from_numpy(reconstructions).to(model.scale.device) / model.scale
    noise = model.scale * model.variance(expected).sqrt()
    return (images - reconstructions) / noise.cpu().numpy()


def averaged_down(images: np.ndarray) -> np.ndarray:
    """Images [n, pixels, pixels] of `MAX_SIDE` pixels at most, as float32: means of the observed pixels of blocks."""

    def means(values: Tensor) -> Tensor:
        return adaptive_avg_pool2d(values[:, None], min(images.shape[-1], MAX_SIDE))[:, 0]

    values = torch.from_numpy(images.astype(np.float32))
    observed = values.isfinite()
    return (means(values.where(observed, values.new_zeros(()))) / means(observed.float())).numpy()
