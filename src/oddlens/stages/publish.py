"""Publish a model of a study: the model, with its card, from the study's shards and tables."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch

from oddlens import __version__
from oddlens.data import shards, splits
from oddlens.data.training_sets import parse_training_set
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.model_files import read_model
from oddlens.files.artefacts import atomic_write, read_arrays
from oddlens.files.progress import say
from oddlens.files.tensors import write_tensors
from oddlens.lensing.source_images import without_folders
from oddlens.observations.target import Target
from oddlens.pretrained import cards
from oddlens.pretrained.published_models import TOLERANCE, PublishedModel, digest
from oddlens.results.tables.score_files import read_scores

MAX_BYTES = 3_000_000
"""Largest size of a published file."""
HALF_PRECISION_TOLERANCE = 0.1
"""Largest change of a smooth lens's score in half precision, in units of the standard deviation of smooth lenses'
scores. The median change is then about a hundredth, and AUCs of 2,500 images per class change by less than 0.0002
(docs/pretrained.md)."""


@dataclass(frozen=True)
class StudyFiles:
    """The files of a study from which a model is published."""

    model: str
    validation: Sequence[str]
    """Shards of smooth images that calibrate the model."""
    mini: str
    """The mini set of the data set."""
    scores: str
    """The study's scores of the row."""
    split: str
    auc: str
    summary: str


@dataclass(frozen=True)
class Publication:
    """The row to publish, and the entries of its card that come from the config."""

    dataset: str
    row: str
    scoring: Mapping[str, Any]
    """Settings of the row that only its score reads."""
    smooth: str
    """The class of smooth lenses."""
    description: str
    """The detector in one sentence."""
    study: str
    seed: int
    """The master seed of the study."""
    licence: str

    @property
    def name(self) -> str:
        """The name of the published model."""
        return f"{self.dataset}/{self.row}"


def publish(path: str | Path, card_path: str | Path, files: StudyFiles, publication: Publication) -> None:
    """Write a model and its card. Matrices are in half precision if that leaves the scores as they are.

    Raises:
        ValueError: if the training diverged, the model does not reproduce the study's scores, or the file is too large.
    """
    name = publication.name
    tensors, header = read_model(files.model)
    about = {key: value for key, value in header["about"].items() if key != "losses"}
    if about["diverged"]:
        raise ValueError(f"{name} diverged ({about['diverged']}): remove it from `publish` in the config")
    header["settings"] |= publication.scoring
    validation = [shards.read(path) for path in files.validation]
    card = _card(files, publication, about, validation)
    images = np.concatenate([shard.images for shard in validation])
    column = f"{about['training_set']}/{about['seed']}"
    expected = _smooth_scores(files.scores, validation, publication.smooth, column)
    with TemporaryDirectory() as scratch:
        candidate = Path(scratch, "candidate.safetensors")
        for precision, rounded, tolerance in (
            ("half precision", halved(tensors), HALF_PRECISION_TOLERANCE),
            ("single precision", tensors, TOLERANCE),
        ):
            write_tensors(candidate, rounded, header)
            detector = loading.load(candidate)[0]
            scores = detector.score(images)
            card |= {"precision": precision, "smooth_scores": _plain(scores)}
            card["difference"] = PublishedModel(name, detector, card).difference(scores, expected)
            if card["difference"] <= tolerance:
                break
            say(f"{name}: in {precision} scores differ by {card['difference']:.2g} standard deviations of smooth ones")
        else:
            raise ValueError(f"{name} does not reproduce the scores of {files.scores}, not even in single precision")
        mini = read_arrays(files.mini)[0]
        card["mini"] = {"sha256": digest(files.mini), "scores": _plain(detector.score(mini["images"]))}
        write_tensors(candidate, rounded, header | {"about": card})
        _write(path, card_path, candidate.read_bytes(), card)


def _card(
    files: StudyFiles, publication: Publication, about: Mapping[str, Any], validation: Sequence[shards.Shard]
) -> dict[str, Any]:
    """The entries of the card that are known before the model is scored."""
    return {
        **about,
        "name": publication.name,
        "description": publication.description,
        "licence": publication.licence,
        "version": __version__,
        "study": publication.study,
        "master_seed": publication.seed,
        "training_images": int(splits.read(files.split)[about["training_set"]].sum()),
        "simulation": without_folders(json.loads(validation[0].attributes["simulation"])),
        "target": Target.from_shards(validation).plain(),
        "measured": _measured(files, publication, about),
    }


def _write(path: str | Path, card_path: str | Path, content: bytes, card: Mapping[str, Any]) -> None:
    """Write the model file and its card.

    Raises:
        ValueError: if the file is larger than `MAX_BYTES`.
    """
    name, precision = card["name"], card["precision"]
    if len(content) > MAX_BYTES:
        megabytes = f"{len(content) / 1e6:.1f} MB in {precision}"
        raise ValueError(
            f"{name} has {megabytes}, more than {MAX_BYTES / 1e6:g}: remove it from `publish` in the config"
        )
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    with atomic_write(card_path) as temporary:
        temporary.write_text(cards.text(card))
    difference = f"scores differ by {card['difference']:.2g} standard deviations of smooth ones"
    say(f"{name}: {len(content) / 1e6:.2f} MB in {precision}, {difference}")


def halved(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Matrices in half precision, unless their values exceed its range; vectors and scalars unchanged."""

    def fits(tensor: torch.Tensor) -> bool:
        return tensor.dtype == torch.float32 and tensor.ndim > 1 and bool(tensor.half().isfinite().all())

    return {name: tensor.half() if fits(tensor) else tensor for name, tensor in tensors.items()}


def _plain(scores: np.ndarray) -> list[float]:
    """Scores for JSON, with the digits of a float32."""
    return [float(f"{score:.9g}") for score in scores]


def _smooth_scores(path: str, validation: Sequence[shards.Shard], smooth: str, column: str) -> np.ndarray:
    """The study's scores of its smooth validation images, in the order of their shards."""
    table, _ = read_scores(path)
    table = table[(table["pool"] == "validation") & (table["class"] == smooth)].set_index("index")
    return table.loc[np.concatenate([shard.arrays["index"] for shard in validation]), column].to_numpy(np.float32)


def _measured(files: StudyFiles, publication: Publication, about: Mapping[str, Any]) -> list[dict]:
    """For each anomaly: the AUC of the model with its interval, and the mean of its row over seeds."""
    contaminant, fraction = parse_training_set(about["training_set"])
    keys = ["dataset", "detector", "contaminant", "contamination", "anomaly"]
    own = {
        "dataset": publication.dataset,
        "detector": publication.row,
        "contaminant": contaminant,
        "contamination": fraction,
    }
    auc, summary = (pd.read_csv(path) for path in (files.auc, files.summary))
    summary = summary[[*keys, "auc", "seed_low", "seed_high", "seeds"]].rename(columns={"auc": "mean"})
    table = auc[auc["seed"] == about["seed"]].merge(summary, on=keys)
    table = table[np.logical_and.reduce([table[key] == value for key, value in own.items()])]
    of_model = ["auc", "auc_low", "auc_high", "n_normal", "n_anomalous"]
    of_row = ["mean", "seed_low", "seed_high", "seeds"]
    return json.loads(table[["anomaly", *of_model, *of_row]].to_json(orient="records"))
