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
    """The first test images of each class and, if they have twins, their true difference from these.

    Both are [class, example, pixels, pixels], NaN where a class has fewer images than another.
    """
    twins, rows = evaluation.twins, _rows_by_class(evaluation, N_EXAMPLES)
    every = np.concatenate(rows)
    truth = {"truth": twins.difference(every)} if twins.exist else {}
    return _by_class(rows, {"images": np.asarray(twins.images[every]), **truth})


def model_examples(model: Detector, evaluation: EvaluationSet) -> dict[str, np.ndarray]:
    """What a model makes of the test images of `images_and_truth`, as far as it is capable.

    `reconstructions` and `anomaly_maps` are [class, example, pixels, pixels]; see also `_masses` and `_embeddings`.
    `training_snapshots` are [stages, n, pixels, pixels].
    """
    by_class = _rows_by_class(evaluation, N_EXAMPLES)
    rows = np.concatenate(by_class)
    inputs = np.asarray(evaluation.inputs[rows])
    examples = {}
    if isinstance(model, Reconstructs) and evaluation.inputs_are_images:
        examples["reconstructions"] = model.reconstructions(inputs)
    if isinstance(model, MapsAnomalies):
        examples["anomaly_maps"] = model.anomaly_maps(inputs, truth=evaluation.truth(model, rows))
    examples = _by_class(by_class, examples | _masses(model, evaluation, rows)) | _embeddings(model, evaluation)
    if isinstance(model, KeepsTrainingSnapshots):
        examples["training_snapshots"] = model.snapshot_images()
    return examples


def _rows_by_class(evaluation: EvaluationSet, count: int) -> list[np.ndarray]:
    """The rows of the first test images of each class."""
    return [evaluation.twins.test_rows(cls, count) for cls in evaluation.twins.classes]


def _by_class(rows: list[np.ndarray], arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays [image, ...] of the rows of each class as [class, example, ...], filled up with NaN."""
    most = max(map(len, rows))
    place = np.concatenate([c * most + np.arange(len(own)) for c, own in enumerate(rows)])
    filled = {}
    for name, array in arrays.items():
        of_classes = np.full((len(rows) * most, *array.shape[1:]), np.nan, array.dtype)
        of_classes[place] = array
        filled[name] = of_classes.reshape(len(rows), most, *array.shape[1:])
    return filled


def _masses(model: Detector, evaluation: EvaluationSet, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The maps of a model that finds masses, and the true mass.

    Its residual inputs by name and `min_detectable_msun`, the smallest detectable mass, [n, pixels, pixels];
    `heaviest_position`, the position of the heaviest mass in pixels up and right of the centre, [n, 2], NaN without
    one. The masses of the user's own lenses depend on redshifts that are not known: of these there is
    `min_detectable_arcsec2`, the square of the Einstein radius of the smallest detectable mass.
    """
    if not isinstance(model, ProvidesResiduals) or not isinstance(model, MapsMassSensitivity) or not model.simulation:
        return {}
    images, table = evaluation.twins.images[rows], evaluation.twins.table.loc[rows]
    residuals, areas = model.residual_inputs(images), model.mass_sensitivities(images)
    maps = dict(zip(RESIDUAL_INPUTS, residuals.swapaxes(0, 1), strict=True))
    if not evaluation.twins.exist:
        unknown = np.full((len(rows), 2), np.nan)
        return {**maps, "min_detectable_arcsec2": areas, "heaviest_position": unknown}
    position = table[["heaviest_y_arcsec", "heaviest_x_arcsec"]].where(table["heaviest_mass_msun"] > 0)
    position /= model.simulation["camera"]["pixel_scale_arcsec"]
    return {
        **maps,
        "min_detectable_msun": areas / table["area_per_msun"].to_numpy()[:, None, None],
        "heaviest_position": position.to_numpy(),
    }


def _embeddings(model: Detector, evaluation: EvaluationSet) -> dict[str, np.ndarray]:
    """The codes of test images of each class.

    `embeddings`, their two leading principal components (those of the first class, which is smooth if any test image
    is), [class, image, 2], and `embedding_norms` [class, image]; NaN where a class has fewer images than another.
    """
    if not isinstance(model, Embeds):
        return {}
    rows = _rows_by_class(evaluation, N_EMBEDDED)
    codes = np.concatenate([model.embeddings(evaluation.inputs[own]) for own in rows])  # [image, number]
    flat = np.pad(codes, ((0, 0), (0, 1))) if codes.shape[1] == 1 else codes
    coordinates = PCA(2, svd_solver="full").fit(flat[: max(len(rows[0]), 2)]).transform(flat)
    norms = np.linalg.norm(codes, axis=-1)
    return _by_class(rows, {"embeddings": coordinates.astype(np.float32), "embedding_norms": norms})
