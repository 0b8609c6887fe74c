"""Publishing: half precision, cards, and models that are refused."""

import numpy as np
import pandas as pd
import pytest
import torch

from oddlens.data import shards
from oddlens.detectors.interface import loading
from oddlens.files.artefacts import write_table
from oddlens.files.tensors import read_tensors, write_tensors
from oddlens.pretrained import cards, published_models
from oddlens.stages import publish
from tiny_models import COUNT, publish_row, rings


def test_a_published_model_scores_as_the_model_of_the_study(tiny_study, published_folder):
    model = published_models.load("toy/dcae", published_folder)
    images = rings(30, 5)
    original = loading.load(tiny_study / "dcae.safetensors")[0].score(images)
    assert model.difference(model.score(images), original) < publish.HALF_PRECISION_TOLERANCE
    assert model.smooth_scores.shape == (COUNT,)
    probabilities = model.false_alarm_probability(np.array([-1e9, 1e9]))
    assert probabilities[0] == 1
    assert probabilities[1] < 0.05


def test_matrices_are_in_half_precision_and_the_rest_is_not(published_folder):
    tensors, _ = read_tensors(published_folder / "toy" / "dcae.safetensors")
    assert {tensor.dtype for tensor in tensors.values() if tensor.ndim > 1} == {torch.float16}
    assert {tensor.dtype for tensor in tensors.values() if tensor.ndim < 2} == {torch.float32}


def test_values_beyond_half_precision_stay_in_single_precision():
    tensors = publish.halved(
        {"large": torch.full((2, 2), 1e6), "small": torch.ones(2, 2), "count": torch.ones(2, 2).int()}
    )
    assert [tensor.dtype for tensor in tensors.values()] == [torch.float32, torch.float16, torch.int32]


def test_a_model_that_half_precision_spoils_stays_single(tiny_study, tmp_path):
    tensors, header = read_tensors(tiny_study / "lone.safetensors")
    tensors["autoencoder.coordinates.principal.axes"] *= 1e-7  # below what half precision resolves
    tensors["autoencoder.coordinates.principal.scatter"] *= 1e-7
    write_tensors(tmp_path / "model.safetensors", tensors, header)
    model = loading.load(tmp_path / "model.safetensors")[0]
    table = pd.DataFrame({"pool": "validation", "class": "smooth", "index": range(COUNT)})
    scores = model.score(shards.read(tiny_study / "validation-smooth.h5").images)
    write_table(tmp_path / "scores.csv", table.assign(**{"none-0/1": scores}), kind="scores")
    paths = {"model": tmp_path / "model.safetensors", "scores": tmp_path / "scores.csv"}
    publish_row(tiny_study, tmp_path, "lone", **paths)
    assert published_models.load("toy/lone", tmp_path).card["precision"] == "single precision"


def test_the_card_has_the_numbers_of_the_tables(published_folder):
    text = (published_folder / "toy" / "dcae.md").read_text()
    assert text == cards.text(published_models.load("toy/dcae", published_folder).card)
    assert "| all | 0.750 | 0.700 to 0.800 | 60 / 60 | 0.750 | – | 1 |" in text
    for words in ["80 training images (all smooth)", "c0ffee", "torch 2", "epochs 1", "7 (master)", "MIT"]:
        assert words in text
    assert "an elliptical halo" in text
    assert "1 in 600" in text


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"scores": lambda scores: scores + 1}, "does not reproduce the scores"),
        ({"diverged": "the loss became nan"}, "diverged"),
        ({"most": 1000}, "MB in half precision"),
    ],
)
def test_an_unfit_model_is_not_published(tiny_study, tmp_path, monkeypatch, changed, words):
    files = {}
    if "scores" in changed:
        table = pd.read_csv(tiny_study / "dcae.csv", comment="#")
        table["none-0/1"] = changed["scores"](table["none-0/1"])
        write_table(tmp_path / "scores.csv", table, kind="scores")
        files = {"scores": tmp_path / "scores.csv"}
    if "diverged" in changed:
        tensors, header = read_tensors(tiny_study / "dcae.safetensors")
        header["about"] |= changed
        write_tensors(tmp_path / "model.safetensors", tensors, header)
        files = {"model": tmp_path / "model.safetensors"}
    monkeypatch.setattr(publish, "MAX_BYTES", changed.get("most", publish.MAX_BYTES))
    with pytest.raises(ValueError, match=words):
        publish_row(tiny_study, tmp_path, "dcae", **files)
    assert not (tmp_path / "toy" / "dcae.safetensors").exists()
