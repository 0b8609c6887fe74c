"""The example that brings scores of anomalib back: all but the training, and that too where anomalib is installed."""

import csv
import importlib.util
import re

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import nn

from conftest import ROOT
from oddlens.data import splits
from oddlens.results.tables.external_scores import Expected, read_external_scores

EXAMPLE = ROOT / "examples/anomalib"
FOLDERS = {
    ("train", "smooth"): "train/good",
    ("contaminant", "cdm"): "contaminant/cdm",
    ("validation", "smooth"): "validation/good",
    ("test", "smooth"): "test/good",
    ("test", "cdm"): "test/cdm",
}
COUNT = 4


@pytest.fixture(scope="module")
def example():
    """The module of the example, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("anomalib_example", EXAMPLE / "score.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def export(tmp_path):
    """The folder of an exported data set, with a metadata.csv whose lines are in no order."""
    rng, lines = np.random.default_rng(0), []
    for (pool, cls), folder in FOLDERS.items():
        (tmp_path / "model_a/png" / folder).mkdir(parents=True)
        for k in range(COUNT):
            name = f"{folder}/{k:06d}.png"
            Image.fromarray(rng.integers(0, 255, (32, 32), np.uint8)).save(tmp_path / "model_a/png" / name)
            lines.append({"file_name": name, "role": pool, "label": cls, "object": "x"})
    table = pd.DataFrame(lines).sample(frac=1, random_state=1)
    table.to_csv(tmp_path / "model_a/png/metadata.csv", index=False)
    return tmp_path / "model_a"


@pytest.fixture
def images(example, export):
    return example.read_export(export / "png")


def test_every_exported_file_is_an_image_of_the_study(images):
    assert len(images) == COUNT * len(FOLDERS)
    for image in images:
        assert image.path.parent.as_posix().endswith(FOLDERS[image.pool, image.cls])
        assert image.path.name == f"{image.index:06d}.png"


def test_a_missing_file_is_told(example, export):
    (export / "png/test/cdm/000002.png").unlink()
    with pytest.raises(ValueError, match=r"test/cdm/000002\.png does not exist"):
        example.read_export(export / "png")


def test_without_splits_all_training_images_are_used(example, images):
    files = example.training_images(images, None, "none-0")
    assert {file.parent.name for file in files} == {"good"}
    assert len(files) == COUNT


def test_training_sets_are_those_of_the_study(example, images, tmp_path):
    names = pd.DataFrame(
        [("train", "smooth", 0, 1, 1), ("train", "smooth", 3, 1, 0), ("contaminant", "cdm", 2, 0, 1)],
        columns=[*splits.IDENTITY, "none-0", "mixed-0.5"],
    )
    splits.write(str(tmp_path / "seed-1.csv"), names, dataset="model_a", seed=1)
    found = {
        name: sorted(
            f"{file.parent.name}/{file.stem}" for file in example.training_images(images, tmp_path / "seed-1.csv", name)
        )
        for name in ("none-0", "mixed-0.5")
    }
    assert found == {"none-0": ["good/000000", "good/000003"], "mixed-0.5": ["cdm/000002", "good/000000"]}
    with pytest.raises(ValueError, match="no training set 'cdm-0'"):
        example.training_images(images, tmp_path / "seed-1.csv", "cdm-0")


def test_a_split_of_another_export_is_refused(example, images, tmp_path):
    names = pd.DataFrame([("train", "smooth", 99, 1)], columns=[*splits.IDENTITY, "none-0"])
    splits.write(str(tmp_path / "seed-1.csv"), names, dataset="model_a", seed=1)
    with pytest.raises(ValueError, match="train/smooth/99, which was not exported"):
        example.training_images(images, tmp_path / "seed-1.csv", "none-0")


def as_read(path, images):
    """A table of scores as a study reads it."""
    scored = [(i.pool, i.cls, i.index) for i in images if i.pool in ("test", "validation")]
    expected = pd.DataFrame(sorted(scored), columns=splits.IDENTITY)
    return read_external_scores(path, Expected(expected, "model_a", ["model_a"], ["model_a"], ["none-0"], 1))


def test_what_is_written_is_what_a_study_reads(example, images, tmp_path):
    scores = {image.path.resolve(): 100 * len(image.cls) + image.index + 1 / 3 for image in images}
    lines = example.score_lines(images, scores, dataset="model_a", training_set="none-0", seed=7)
    example.write_scores(tmp_path / "scores.csv", lines, "anomalib 2.7.0")
    assert not list(tmp_path.glob(".*"))
    found = as_read(tmp_path / "scores.csv", images)
    expected = 100 * found["class"].str.len() + found["index"] + 1 / 3
    np.testing.assert_allclose(found["none-0/7"], expected, rtol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--training-sets", "mixed-0.1"], "--training-sets needs --splits"),
        (["--model", "Ganomaly", "--weights", "w.safetensors"], "are for Dfkde, Dfm, Padim, Patchcore"),
        (["--model", "Fastflow", "--backbone", "resnet50"], "are for Dfkde, Dfm, Padim, Patchcore"),
        (["--pretrained", "--weights", "w.safetensors"], "give one of them"),
        (["--model", "Padim", "--coreset", "0.1"], "--coreset is for Patchcore"),
    ],
)
def test_arguments_that_do_not_fit_together_are_refused(example, capsys, arguments, told):
    with pytest.raises(SystemExit):
        example.arguments(["some", *arguments])
    assert told in capsys.readouterr().err


def network(seed, classes=3, outputs=2):
    """A layer, its norm, and a classifier."""
    torch.manual_seed(seed)
    stem, norm = nn.Conv2d(1, outputs, 3), nn.BatchNorm2d(outputs)
    return nn.ModuleDict({"stem": stem, "norm": norm, "head": nn.Linear(outputs, classes)})


def test_weights_of_the_features_are_loaded_and_the_classifier_is_not(example, tmp_path):
    given, own = network(1, classes=9), network(2)
    safetensors.torch.save_file(given.state_dict(), tmp_path / "w.safetensors")
    features = nn.ModuleDict({name: own[name] for name in ("stem", "norm")})
    example.load_weights(features, tmp_path / "w.safetensors")
    for name, value in features.state_dict().items():
        torch.testing.assert_close(value, given.state_dict()[name])


@pytest.mark.parametrize("other", [network(1, outputs=4), nn.ModuleDict({"stem": nn.Conv2d(1, 2, 3)})])
def test_weights_of_another_network_are_refused(example, tmp_path, other):
    safetensors.torch.save_file(other.state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=r"is of another network: it has no (stem|norm)\.weight"):
        example.load_weights(network(2), tmp_path / "w.safetensors")


def test_a_backbone_gives_each_model_the_layers_of_its_own(example):
    layers = ["a", "b", "c", "d", "e"]
    assert example._layers("Padim", layers)["layers"] == ["b", "c", "d"]
    assert example._layers("Patchcore", layers)["layers"] == ["c", "d"]
    assert set(example.WITH_BACKBONE) <= set(example.MODELS)
    assert all(example._layers(model, layers) for model in example.WITH_BACKBONE)


def test_the_environment_is_pinned_and_without_the_malicious_releases():
    lines = [line for line in (EXAMPLE / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = dict(line.split("==") for line in lines)
    assert {"anomalib", "lightning", "pytorch-lightning", "torch"} <= set(pinned)
    assert not {pinned["lightning"], pinned["pytorch-lightning"]} & {"2.6.2", "2.6.3"}


def test_the_example_imports_no_part_of_this_project():
    assert not re.search(r"^\s*(from|import) oddlens", (EXAMPLE / "score.py").read_text(), re.MULTILINE)


@pytest.mark.parametrize("model", ["Dfkde", "Padim", "Patchcore"])
def test_a_model_of_anomalib_is_trained_and_its_scores_are_read(example, images, export, tmp_path, monkeypatch, model):
    pytest.importorskip("anomalib", reason="anomalib has an environment of its own: examples/anomalib/environment.yaml")
    arguments = ["score.py", str(export), "--model", model, "--out", str(tmp_path / "scores.csv")]
    monkeypatch.setattr("sys.argv", arguments)
    example.main()
    with open(tmp_path / "scores.csv", newline="") as table:
        assert next(csv.reader(table))[0].startswith("# anomalib")
    assert as_read(tmp_path / "scores.csv", images)["none-0/1"].nunique() > 1
