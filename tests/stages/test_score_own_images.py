"""Scores of the user's own images: no twins, classes of any size, and text that looks like numbers."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from oddlens.data import shards
from oddlens.data.pools import UNLABELLED
from oddlens.data.pseudo_anomalies import add_weak_deflection
from oddlens.data.twins import Twins
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.model_files import save_model
from oddlens.files.artefacts import read_arrays, read_table
from oddlens.stages import score, truth

PIXELS = 12


def shard(path, pool, cls, objects, **others):
    """Flat noisy images; the number of an object is its name."""
    n = len(objects)
    rng = np.random.default_rng(n)
    names = [f"{number:03d}".encode() for number in objects]
    arrays = {
        "images": rng.normal(5, 1, (n, PIXELS, PIXELS)).astype(np.float32),
        "index": np.arange(n),
        "truth/lens": np.array(objects, float),
        "truth/noise_gain": np.zeros(n),
        "truth/noise_background": np.ones(n),
        "truth/psf_fwhm_pixels": np.zeros(n),
        "truth/redshift": np.where(np.arange(n) % 2, np.nan, 0.5),
        **{f"sheet/{name}": np.array(names) for name in ("file", "object")},
        "sheet/band": np.array([b"NA"] + [b""] * (n - 1)),
        "sheet/label": np.array([cls.encode()] * n),
        "sheet/survey_id": np.array([b"12345678901234567"] * n),
    }
    shards.write(path, shards.Shard(arrays | others, {"dataset": "mine", "pool": pool, "class": cls}))
    return str(path)


def scored(folder, paths, *detectors):
    """The scores and examples of some detectors, and the table of pixel AUCs of the last."""
    images = np.random.default_rng(0).normal(5, 1, (20, PIXELS, PIXELS)).astype(np.float32)
    models = []
    for k, name in enumerate(detectors):
        made = loading.detector(name).build(PIXELS)
        made.fit(images, seed=1, training={"epochs": 1, "batch_size": 10} if name == "dcae" else {})
        models.append(str(folder / f"model-{k}"))
        about = {"row": "one", "dataset": "mine", "training_set": "none-0", "diverged": None}
        save_model(made, models[-1], **about, seed=k)
    outputs = score.ScorePaths(**{field.name: folder / f"out-{field.name}" for field in fields(score.ScorePaths)})
    settings = {"row": "one", "trained": "one", "scoring": {}, "dataset": "mine", "smooth": "smooth", "seed": 1}
    score.score(outputs, model_paths=models, shard_paths=paths, residuals=None, device="cpu", **settings)
    return read_table(outputs.scores)[0], read_arrays(outputs.examples), read_table(outputs.pixels)[0]


@pytest.fixture
def labelled(tmp_path):
    """Five smooth and one odd test image, four of validation; the objects of the validation images have two each."""
    paths = [shard(tmp_path / "a.h5", "test", "smooth", [0, 1, 2, 3, 4]), shard(tmp_path / "b.h5", "test", "odd", [7])]
    return [*paths, shard(tmp_path / "c.h5", "validation", "smooth", [8, 8, 9, 9])]


def test_scores_name_the_object_of_each_image(tmp_path, labelled):
    table, _, pixels = scored(tmp_path, labelled, "flux", "random")
    assert list(table.columns) == ["pool", "class", "index", "lens", "none-0/0", "none-0/1"]
    assert table["lens"].tolist() == [0, 1, 2, 3, 4, 7, 8, 8, 9, 9, 8, 8, 9, 9], "pseudo-anomalies have their lens"
    assert table[["none-0/0", "none-0/1"]].notna().all().all()
    assert pixels.empty, "there is no true difference"


def test_findings_name_images_by_pool_class_and_index_alone(tmp_path, labelled, monkeypatch):
    monkeypatch.setattr(loading.detector("flux"), "findings", ("doubtful",))
    flux = loading.detector("flux")
    plain = flux.anomaly_score
    monkeypatch.setattr(flux, "anomaly_score", lambda self, i: plain(self, i)[:, None].repeat(1, 2))
    scored(tmp_path, labelled, "flux")
    found = read_table(tmp_path / "out-findings")[0]
    assert list(found.columns) == ["pool", "class", "index", "training_set", "seed", "doubtful"]


def test_classes_may_have_different_numbers_of_images(tmp_path, labelled):
    _, (arrays, about), _ = scored(tmp_path, labelled, "dcae")
    assert about["classes"] == "smooth,odd"
    assert arrays["images"].shape == arrays["reconstructions"].shape == (2, 2, PIXELS, PIXELS)
    assert "truth" not in arrays
    assert np.isfinite(arrays["images"][0]).all()
    assert np.isnan(arrays["images"][1, 1]).all()
    known = np.isfinite(arrays["embedding_norms"])
    assert known.sum(axis=1).tolist() == [5, 1]
    assert (np.isfinite(arrays["embeddings"]).all(axis=-1) == known).all()


def test_a_test_pool_without_labels_has_one_class(tmp_path):
    paths = [shard(tmp_path / "a.h5", "test", UNLABELLED, [0, 1, 2])]
    paths.append(shard(tmp_path / "b.h5", "validation", "smooth", [3, 4, 5, 6]))
    table, (arrays, about), _ = scored(tmp_path, paths, "flux")
    assert about["classes"] == UNLABELLED
    assert len(arrays["images"]) == 1
    assert set(table["class"]) == {UNLABELLED, "smooth", "pseudo_anomaly"}


def test_samples_are_compared_with_validation_images_if_no_test_image_is_smooth(tmp_path):
    paths = [shard(tmp_path / "a.h5", "test", UNLABELLED, [0, 1])]
    paths.append(shard(tmp_path / "b.h5", "validation", "smooth", [*range(9)]))
    twins = Twins(shards.read_all(paths, tmp_path), "smooth")
    one, other = twins.normal_rows(3)
    assert len(one) == len(other) == 3
    assert not set(one) & set(other)
    assert set(twins.table["pool"][[*one, *other]]) == {"validation"}


def test_a_dark_image_gets_a_pseudo_anomaly():
    dark = np.full((2, PIXELS, PIXELS), -1, np.float32)
    assert np.isfinite(add_weak_deflection(dark, 0.0, "mine", 1)).all()


def test_unknown_properties_stay_unknown_and_text_stays_text(tmp_path, labelled):
    truth.truth(tmp_path / "truth.csv", labelled, "mine")
    table, about = read_table(tmp_path / "truth.csv")
    assert table["redshift"].isna().sum() == 4, "an unknown redshift is not 0"
    assert table["object"].tolist() == ["000", "001", "002", "003", "004", "007", "008", "008", "009", "009"]
    assert set(table["survey_id"]) == {"12345678901234567"}
    assert table["band"].tolist() == ["NA", "", "", "", "", "NA", "NA", "", "", ""]
    assert set(about["text"]) == {"file", "object", "band", "label", "survey_id"}


def test_a_quantity_that_a_class_lacks_is_zero():
    one, other = pd.DataFrame({"a": [1.0, np.nan]}), pd.DataFrame({"b": [2.0]})
    expected = pd.DataFrame({"a": [1, np.nan, 0], "b": [0, 0, 2.0]})
    pd.testing.assert_frame_equal(shards.joined([one, other]), expected)
