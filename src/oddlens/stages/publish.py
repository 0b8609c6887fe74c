"""Publish models of a study: a model, its shards and tables to a file with a card, and the mini set beside it."""

import json
from collections.abc import Mapping, Sequence
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
from oddlens.detectors.interface.base import read_model
from oddlens.files.artefacts import read_arrays, replacing, write_arrays
from oddlens.files.progress import say
from oddlens.files.tensors import write_tensors
from oddlens.observations.frames import Target
from oddlens.pretrained import cards
from oddlens.pretrained.published_models import AGREE, Pretrained, digest
from oddlens.results.tables import conventions

MOST_BYTES = 3_000_000
"""Of a published file."""
ROUNDED = 0.1
"""By how much of the scatter of smooth lenses' scores the worst of them may change in half precision: a hundredth in
the median, and AUCs of 2,500 images a class change by less than 0.0002 (docs/pretrained.md)."""
MINI = 20
"""Test images of each class in the mini set; twins."""


def mini_set(path: str | Path, shard_paths: Sequence[str]) -> None:
    """Write the first test images of each class: `images` [n, pixels, pixels], `class` (a place in the attribute
    `classes`) and `index` [n].

    Args:
        shard_paths: the first test shard of each class.
    """
    found = [shards.read(path) for path in shard_paths]
    counts = [min(MINI, len(shard.images)) for shard in found]
    arrays = {
        "images": np.concatenate([shard.images[:count] for shard, count in zip(found, counts, strict=True)]),
        "class": np.repeat(np.arange(len(found)), counts),
        "index": np.concatenate([shard.arrays["index"][:n] for shard, n in zip(found, counts, strict=True)]),
    }
    about = found[0].attributes
    write_arrays(
        path,
        arrays,
        kind="mini set",
        dataset=about["dataset"],
        classes=",".join(shard.attributes["class"] for shard in found),
        pixel_scale_arcsec=about["pixel_scale_arcsec"],
        units=shards.UNITS,
        axes=shards.AXES,
    )


def publish(
    path: str | Path,
    card_path: str | Path,
    *,
    model_path: str,
    validation_paths: Sequence[str],
    mini_path: str,
    scores_path: str,
    split_path: str,
    auc_path: str,
    summary_path: str,
    dataset: str,
    row: str,
    scoring: Mapping[str, Any],
    smooth: str,
    what: str,
    study: str,
    seed: int,
    licence: str,
) -> None:
    """Write the model and its card: in half precision if it scores alike, else as it is.

    Args:
        validation_paths: the shards of smooth images that calibrate it.
        scores_path: what the study scored them with.
        scoring: the settings of the row that are read by the score alone.
        what: what the detector is, in a sentence.

    Raises:
        ValueError: if the training diverged, the model does not give the study's scores again, or is too large.
    """
    tensors, header = read_model(model_path)
    model = {key: value for key, value in header["about"].items() if key != "losses"}
    name = f"{dataset}/{row}"
    if model["diverged"]:
        raise ValueError(f"{name} diverged ({model['diverged']}): leave it out of `publish`")
    header["settings"] |= scoring
    found = [shards.read(path) for path in validation_paths]
    images = np.concatenate([shard.images for shard in found])
    mini = read_arrays(mini_path)[0]
    before = _scores(scores_path, found, smooth, f"{model['training_set']}/{model['seed']}")
    card: dict[str, Any] = {
        **model,
        "name": name,
        "what": what,
        "licence": licence,
        "version": __version__,
        "study": study,
        "master_seed": seed,
        "training_images": int(splits.read(split_path)[model["training_set"]].sum()),
        "simulation": json.loads(found[0].attributes["simulation"]),
        "target": Target.of(found).plain(),
        "measured": _measured(auc_path, summary_path, dataset, row, model),
    }
    with TemporaryDirectory() as scratch:
        candidate = Path(scratch, "candidate.safetensors")
        for precision, held, allowed in (
            ("half precision", halved(tensors), ROUNDED),
            ("single precision", tensors, AGREE),
        ):
            write_tensors(candidate, held, header)
            detector = loading.load(candidate)[0]
            scores = detector.score(images)
            card |= {"precision": precision, "smooth": _plain(scores)}
            card["difference"] = Pretrained(name, detector, card).apart(scores, before)
            if card["difference"] <= allowed:
                break
            say(f"{name}: in {precision} scores differ by {card['difference']:.2g} of the scatter of smooth ones")
        else:
            raise ValueError(f"{name} does not give the scores of {scores_path} again, not even in single precision")
        card["mini"] = {"sha256": digest(mini_path), "scores": _plain(detector.score(mini["images"]))}
        header["about"] = card
        write_tensors(candidate, held, header)
        size = candidate.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(
            f"{name} takes {size / 1e6:.1f} MB in {precision}, {MOST_BYTES / 1e6:g} are the most: make it "
            "smaller (width, pixels), or leave it out of `publish`"
        )
    write_tensors(path, held, header)
    with replacing(card_path) as temporary:
        temporary.write_text(cards.text(card))
    say(f"{name}: {size / 1e6:.2f} MB in {precision}, scores differ by {card['difference']:.2g} of their scatter")


def halved(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Matrices in half precision, where that can hold them; vectors and numbers, which weigh nothing, as they are."""

    def fits(tensor: torch.Tensor) -> bool:
        return tensor.dtype == torch.float32 and tensor.ndim > 1 and bool(tensor.half().isfinite().all())

    return {name: tensor.half() if fits(tensor) else tensor for name, tensor in tensors.items()}


def _plain(scores: np.ndarray) -> list[float]:
    """Scores as JSON holds them, with the digits of a float32."""
    return [float(f"{score:.9g}") for score in scores]


def _scores(path: str, found: Sequence[shards.Shard], smooth: str, column: str) -> np.ndarray:
    """The study's scores of its smooth validation images, in the order of their shards."""
    table, _ = conventions.read_scores(path)
    table = table[(table["pool"] == "validation") & (table["class"] == smooth)].set_index("index")
    return table.loc[np.concatenate([shard.arrays["index"] for shard in found]), column].to_numpy(np.float32)


def _measured(auc_path: str, summary_path: str, dataset: str, row: str, model: Mapping[str, Any]) -> list[dict]:
    """The AUC of a model and of its row, for each anomaly."""
    contaminant, fraction = parse_training_set(model["training_set"])
    keys = ["dataset", "detector", "contaminant", "contamination", "anomaly"]
    own = {"dataset": dataset, "detector": row, "contaminant": contaminant, "contamination": fraction}
    auc, summary = (pd.read_csv(path) for path in (auc_path, summary_path))
    summary = summary[[*keys, "auc", "seed_low", "seed_high", "seeds"]].rename(columns={"auc": "mean"})
    both = auc[auc["seed"] == model["seed"]].merge(summary, on=keys)
    both = both[np.logical_and.reduce([both[key] == value for key, value in own.items()])]
    columns = [
        "anomaly",
        "auc",
        "auc_low",
        "auc_high",
        "n_normal",
        "n_anomalous",
        "mean",
        "seed_low",
        "seed_high",
        "seeds",
    ]
    return json.loads(both[columns].to_json(orient="records"))
