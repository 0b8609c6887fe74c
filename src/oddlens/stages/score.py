"""Score the test and validation images with all models of one row: shards and models to tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch

from oddlens.data import shards, splits
from oddlens.data.pseudo_anomalies import add_weak_deflection
from oddlens.data.twins import Twins
from oddlens.detectors.evaluation.evaluation_set import EvaluationSet
from oddlens.detectors.evaluation.examples import images_and_truth, model_examples
from oddlens.detectors.evaluation.kept_maps import kept_maps
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.capabilities import RESIDUAL_INPUTS, ProvidesResiduals, Samples
from oddlens.detectors.interface.image_module import SIGMA_PER_FWHM
from oddlens.detectors.interface.remembering import RemembersImages
from oddlens.files.artefacts import write_arrays, write_table
from oddlens.files.progress import Progress, say
from oddlens.statistics.sample_quality import MEASURES, compare_samples
from oddlens.training.devices import pick_device

N_SAMPLES = 1000
"""Images that a model generates to be compared with real ones."""
N_SAMPLES_SHOWN = 8
"""Generated images in the figures."""
MODEL_COLUMNS = ["training_set", "seed"]


@dataclass(frozen=True)
class ResidualShards:
    """The residual inputs of a row: their kind, their shards, and the model of the lens fit that they come from."""

    kind: str
    paths: Sequence[str]
    fitting_model: str


@dataclass(frozen=True)
class ScorePaths:
    """The files that a row's scores are written to."""

    scores: str | Path
    findings: str | Path
    pixels: str | Path
    samples: str | Path
    examples: str | Path
    maps: str | Path


@dataclass
class _Results:
    """What the models of a row give: a table of scores with a column for each model, and lines of other tables."""

    scores: pd.DataFrame
    findings: list[pd.DataFrame] = field(default_factory=list)
    pixels: list[dict] = field(default_factory=list)
    samples: list[dict] = field(default_factory=list)
    diverged: dict[str, str] = field(default_factory=dict)
    examples: dict[str, np.ndarray] = field(default_factory=dict)
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    mapped_by: dict[str, str | int] = field(default_factory=dict)


def score(
    outputs: ScorePaths,
    *,
    model_paths: Sequence[str],
    shard_paths: Sequence[str],
    residuals: ResidualShards | None,
    row: str,
    trained: str,
    scoring: Mapping[str, Any],
    dataset: str,
    smooth: str,
    seed: int,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Write the tables of scores, findings, pixel AUCs and sample quality, and examples and maps of the first model.

    The scores have a line for each image (`pool`, `class`, `index` and, of the user's own images, `lens`) and a column
    for each model (`<training_set>/<seed>`), NaN if its training diverged. Pseudo-anomalies of the validation images
    are a class of their own. Findings have a line for each model and image, in the order of the scores. The examples
    are the arrays of `oddlens.detectors.evaluation.examples`, of the first model that did not diverge, and `samples`,
    images that it generated, [n, pixels, pixels]. The maps are those of `oddlens.detectors.evaluation.kept_maps`, of
    the same model, whose `training_set` and `seed` are attributes of the file; nothing if all models diverged.

    Args:
        residuals: of the same images as `shard_paths`; None if the models get images.
        trained: the row that the models were trained for. It differs from `row` if `row` has another score alone.
        scoring: the settings that only the score depends on.
        smooth: the normal class.
        seed: the master seed, for the pseudo-anomalies.
    """
    torch.set_num_threads(threads)
    with TemporaryDirectory() as scratch:
        evaluation = _evaluation_set(shard_paths, residuals, smooth, dataset, seed, pick_device(device), Path(scratch))
        results = _Results(evaluation.names)
        progress = Progress(len(model_paths) * len(results.scores))
        for path in model_paths:
            model, about = loading.load(path, **scoring)
            if (about["row"], about["dataset"]) != (trained, dataset):
                raise ValueError(f"{path} is of {about['row']} on {about['dataset']}, not of {trained} on {dataset}")
            if isinstance(model, RemembersImages):
                model.remember_images()
            _add_model(results, model.to(pick_device(device)), about, evaluation, seed)
            progress.advance(len(results.scores))
            title = f"{row} on {dataset}, {about['training_set']}, seed {about['seed']}"
            say(f"{title}: {len(results.scores)} images scored, {progress}")
        examples, decoys = images_and_truth(evaluation) | results.examples, evaluation.twins.decoys
    _write(outputs, results, {"dataset": dataset, "detector": row}, decoys)
    about = {"dataset": dataset, "detector": row, "classes": ",".join(evaluation.twins.classes)}
    write_arrays(outputs.examples, examples, **about)
    write_arrays(outputs.maps, results.maps, **about, **results.mapped_by)


def _evaluation_set(
    shard_paths: Sequence[str],
    residuals: ResidualShards | None,
    smooth: str,
    dataset: str,
    seed: int,
    device: str,
    scratch: Path,
) -> EvaluationSet:
    twins = Twins(shards.read_all(shard_paths, scratch), smooth)
    own = ~twins.table["class"].isin(twins.variants)  # a variant may have another camera
    blur = SIGMA_PER_FWHM * float(twins.table.loc[own, "psf_fwhm_pixels"].median())
    pseudo_anomalies = add_weak_deflection(twins.images[twins.validation], blur, dataset, seed)
    if residuals is None:
        return EvaluationSet(twins, twins.images, pseudo_anomalies)
    folder = scratch / "residuals"
    folder.mkdir()
    fitting_model = loading.load(residuals.fitting_model)[0].to(device)
    assert isinstance(fitting_model, ProvidesResiduals)
    inputs = fitting_model.residual_inputs(pseudo_anomalies)[:, RESIDUAL_INPUTS.index(residuals.kind)]
    return EvaluationSet(twins, shards.read_all(residuals.paths, folder).images, inputs)


def _add_model(
    results: _Results, model: Detector, about: Mapping[str, Any], evaluation: EvaluationSet, seed: int
) -> None:
    """Add what one model gives."""
    column, name = f"{about['training_set']}/{about['seed']}", {key: about[key] for key in MODEL_COLUMNS}
    try:
        if about["diverged"]:
            raise FloatingPointError(about["diverged"])
        results.scores[column], findings = evaluation.scores_and_findings(model)
        if findings:
            results.findings.append(evaluation.names[splits.IDENTITY].assign(**name, **findings))
        results.pixels += [{**name, **line} for line in evaluation.pixel_aucs(model)]
        samples = model.samples(N_SAMPLES, seed) if isinstance(model, Samples) else None
        if samples is not None:
            results.samples.append({**name, **compare_samples(samples, *evaluation.normal_inputs(N_SAMPLES))})
        if not results.examples:
            shown = {} if samples is None else {"samples": samples[:N_SAMPLES_SHOWN]}
            results.examples = model_examples(model, evaluation) | shown
            results.maps = kept_maps(model, evaluation, results.scores[column].to_numpy())
            results.mapped_by = name
    except FloatingPointError as error:
        results.scores[column], results.diverged[column] = np.nan, str(error)


def _write(outputs: ScorePaths, results: _Results, about: Mapping[str, Any], decoys: Sequence[str]) -> None:
    """Write the tables; that of the scores names the `decoys`, if there are any."""
    marks: dict[str, Any] = {"diverged": results.diverged} | ({"decoys": list(decoys)} if decoys else {})
    write_table(outputs.scores, results.scores, kind="scores", **about, **marks)
    columns = [*splits.IDENTITY, *MODEL_COLUMNS]
    findings = pd.concat(results.findings or [pd.DataFrame(columns=columns)], ignore_index=True)
    write_table(outputs.findings, findings, kind="findings", **about)
    for kind, path, lines, columns in _line_tables(outputs, results):
        write_table(path, pd.DataFrame(lines, columns=[*MODEL_COLUMNS, *columns]), kind=kind, **about)


def _line_tables(outputs: ScorePaths, results: _Results) -> Iterator[tuple[str, str | Path, list[dict], list[str]]]:
    yield "pixels", outputs.pixels, results.pixels, ["class", "pixel_auc", "pixel_auc_error", "images"]
    yield "samples", outputs.samples, results.samples, MEASURES
