"""Examples for the figures: some test images of each class, and what a model makes of them."""

import numpy as np
from sklearn.decomposition import PCA

from oddlens.detectors.evaluation.evaluation_set import EvaluationSet
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.capabilities import (
    RESIDUAL_INPUTS,
    Embeds,
    KeepsTrainingSnapshots,
    MapsAnomalies,
    MapsMassSensitivity,
    ProvidesResiduals,
    Reconstructs,
)

N_EXAMPLES = 2
"""Test images of each class that are shown."""
N_EMBEDDED = 300
"""Test images of each class whose codes are shown."""


def images_and_truth(evaluation: EvaluationSet) -> dict[str, np.ndarray]:
    """The first test images of each class, and their true difference from their twins.

    Both are [class, example, pixels, pixels].
    """
    twins, rows = evaluation.twins, _example_rows(evaluation)
    return _by_class(evaluation, {"images": np.asarray(twins.images[rows]), "truth": twins.difference(rows)})


def model_examples(model: Detector, evaluation: EvaluationSet) -> dict[str, np.ndarray]:
    """What a model makes of the test images of `images_and_truth`, as far as it is capable.

    `reconstructions` and `anomaly_maps` are [class, example, pixels, pixels]; see also `_masses` and `_embeddings`.
    `training_snapshots` are [stages, n, pixels, pixels].
    """
    rows = _example_rows(evaluation)
    inputs = np.asarray(evaluation.inputs[rows])
    examples = {}
    if isinstance(model, Reconstructs) and evaluation.inputs_are_images:
        examples["reconstructions"] = model.reconstructions(inputs)
    if isinstance(model, MapsAnomalies):
        examples["anomaly_maps"] = model.anomaly_maps(inputs, truth=evaluation.truth(model, rows))
    examples = _by_class(evaluation, examples | _masses(model, evaluation, rows)) | _embeddings(model, evaluation)
    if isinstance(model, KeepsTrainingSnapshots):
        examples["training_snapshots"] = model.snapshot_images()
    return examples


def _example_rows(evaluation: EvaluationSet) -> np.ndarray:
    return np.concatenate([evaluation.twins.test_rows(cls, N_EXAMPLES) for cls in evaluation.twins.classes])


def _by_class(evaluation: EvaluationSet, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays [class * example, ...] as [class, example, ...]."""
    classes = len(evaluation.twins.classes)
    return {name: array.reshape(classes, -1, *array.shape[1:]) for name, array in arrays.items()}


def _masses(model: Detector, evaluation: EvaluationSet, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The maps of a model that finds masses, and the true mass.

    Its residual inputs by name and `min_detectable_msun`, the smallest detectable mass, [n, pixels, pixels];
    `heaviest_position`, the position of the heaviest mass in pixels up and right of the centre, [n, 2], NaN without
    one.
    """
    if not isinstance(model, ProvidesResiduals) or not isinstance(model, MapsMassSensitivity) or not model.simulation:
        return {}
    images, table = evaluation.twins.images[rows], evaluation.twins.table.loc[rows]
    residuals, areas = model.residual_inputs(images), model.mass_sensitivities(images)
    position = table[["heaviest_y_arcsec", "heaviest_x_arcsec"]].where(table["heaviest_mass_msun"] > 0)
    position /= model.simulation["camera"]["pixel_scale_arcsec"]
    return {
        **dict(zip(RESIDUAL_INPUTS, residuals.swapaxes(0, 1), strict=True)),
        "min_detectable_msun": areas / table["area_per_msun"].to_numpy()[:, None, None],
        "heaviest_position": position.to_numpy(),
    }


def _embeddings(model: Detector, evaluation: EvaluationSet) -> dict[str, np.ndarray]:
    """The codes of test images of each class.

    `embeddings`, their two leading principal components (those of the smooth class), [class, image, 2], and
    `embedding_norms` [class, image].
    """
    if not isinstance(model, Embeds):
        return {}
    twins = evaluation.twins
    codes = np.stack([model.embeddings(evaluation.inputs[twins.test_rows(cls, N_EMBEDDED)]) for cls in twins.classes])
    flat = codes.reshape(-1, codes.shape[-1])  # [class * image, number]
    if flat.shape[1] == 1:
        flat = np.pad(flat, ((0, 0), (0, 1)))
    coordinates = PCA(2, svd_solver="full").fit(flat[: codes.shape[1]]).transform(flat)
    return {
        "embeddings": coordinates.reshape(*codes.shape[:2], 2).astype(np.float32),
        "embedding_norms": np.linalg.norm(codes, axis=-1),
    }
