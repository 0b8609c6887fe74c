"""Scores of injected images: those of the images alone, by mass and model, and of models that diverged."""

import numpy as np
import pytest

from oddlens.detectors.interface import loading
from oddlens.detectors.interface.model_files import save_model
from oddlens.files.artefacts import DamagedFile, read_table, write_arrays
from oddlens.stages.score_injected import score_injected

PIXELS, COUNT, MASSES = 12, 5, [0.0, 1e9, 1e10]


@pytest.fixture
def images(tmp_path):
    made = np.random.default_rng(3).normal(5, 0.1, (len(MASSES), COUNT, PIXELS, PIXELS)).astype(np.float32)
    arrays = {"images": made, "mass_msun": np.array(MASSES), "index": np.arange(COUNT) + 10}
    arrays |= {"lens": np.array([1, 1, 2, 3, 4]), "left_out": np.array([7, 8])}
    arrays["model/kind"] = np.array([b"lensfit", b"ring", b"lensfit", b"ring", b"ring"])
    write_arrays(tmp_path / "injected.h5", arrays, kind="injected", dataset="one")
    return made


def model(path, seed=1, diverged=None, dataset="one"):
    made = loading.detector("pca").build(PIXELS, components=3)
    made.fit(
        np.random.default_rng(seed).normal(5, 0.1, (40, PIXELS, PIXELS)).astype(np.float32), seed=seed, training={}
    )
    save_model(made, path, row="pca", dataset=dataset, training_set="none-0", seed=seed, diverged=diverged)
    return str(path)


def scored(tmp_path, models, **changed):
    inputs = {"injected_path": tmp_path / "injected.h5", "model_paths": models, "residuals": None, "row": "pca"}
    score_injected(tmp_path / "out.csv", **inputs | {"trained": "pca", "scoring": {}, "device": "cpu"} | changed)
    return read_table(tmp_path / "out.csv", "injected_scores")


def test_lines_are_masses_and_images_and_columns_are_models(tmp_path, images):
    models = [model(tmp_path / f"{seed}.safetensors", seed) for seed in (1, 2)]
    table, about = scored(tmp_path, models)
    assert list(table.columns) == ["mass_msun", "index", "lens", "none-0/1", "none-0/2"]
    assert (about["detector"], about["dataset"]) == ("pca", "one")
    assert (about["left_out"], about["ring_models"]) == (2, 3)
    expected = loading.load(models[1])[0].score(images[2])
    heaviest = table[table["mass_msun"] == 1e10]
    np.testing.assert_allclose(heaviest["none-0/2"], expected, rtol=1e-5)
    assert heaviest["index"].tolist() == [10, 11, 12, 13, 14]
    assert heaviest["lens"].tolist() == [1, 1, 2, 3, 4]


def test_a_model_that_diverged_has_no_scores(tmp_path, images):
    table, about = scored(tmp_path, [model(tmp_path / "m.safetensors", diverged="loss is nan")])
    assert table["none-0/1"].isna().all()
    assert about["diverged"] == {"none-0/1": "loss is nan"}


def test_models_of_other_data_and_other_files_are_refused(tmp_path, images):
    with pytest.raises(ValueError, match="is of pca on two"):
        scored(tmp_path, [model(tmp_path / "m.safetensors", dataset="two")])
    write_arrays(tmp_path / "injected.h5", {"images": images}, kind="shard", dataset="one")
    with pytest.raises(DamagedFile, match="no injected images"):
        scored(tmp_path, [])
