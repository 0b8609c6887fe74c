"""From models and shards to tables: twins, anomaly maps, models that diverged."""

import importlib
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
import torch

from oddlens.data import shards
from oddlens.detectors.evaluation import kept_maps
from oddlens.detectors.evaluation.examples import N_EXAMPLES
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.capabilities import MapsAnomalies, ProvidesResiduals
from oddlens.detectors.interface.image_module import UNKNOWN_CAMERA, KnownCamera
from oddlens.detectors.interface.model_files import save_model
from oddlens.files.artefacts import read_arrays, read_table
from oddlens.stages import score, truth
from oddlens.stages.residual_inputs import residual_inputs
from oddlens.statistics.pixel_auc import pixel_aucs

PIXELS, COUNT = 12, 8
CLASSES = {"smooth": 0.0, "odd": 1.0}


def shard(pool, cls, first=0):
    """Flat images whose odd ones have a brighter quarter; noise is shared by twins."""
    index = np.arange(first, first + COUNT // 2)
    light = np.full((len(index), PIXELS, PIXELS), 5.0)
    light[:, :6, :6] += CLASSES[cls]
    noise = np.stack([np.random.default_rng([k, pool == "test"]).normal(0, 0.1, (PIXELS, PIXELS)) for k in index])
    arrays = {
        "images": (light + noise).astype(np.float32),
        "noise_free": light.astype(np.float32),
        "sigma": np.full(light.shape, 0.1, np.float32),
        "index": index,
        "truth/noise_gain": np.zeros(len(index)),
        "truth/noise_background": np.full(len(index), 0.01),
        "truth/psf_fwhm_pixels": np.full(len(index), 2.0),
    }
    if cls == "odd":
        arrays["truth/mass"] = index + 1.0
    return shards.Shard(arrays, {"dataset": "one", "pool": pool, "class": cls})


@pytest.fixture
def paths(tmp_path):
    found = []
    for pool, classes in (("test", CLASSES), ("validation", ["smooth"])):
        for cls in classes:
            for k in range(2):
                found.append(str(tmp_path / f"{pool}-{cls}-{k}.h5"))
                shards.write(found[-1], shard(pool, cls, first=k * COUNT // 2))
    return found


def model(path, name="flux", training_set="none-0", seed=1, diverged=None, camera=UNKNOWN_CAMERA, **about):
    made = loading.detector(name).build(PIXELS)
    made.fit(np.full((20, PIXELS, PIXELS), 5, np.float32), seed=seed, training={}, camera=camera)
    save_model(
        made, path, **{"row": name, "dataset": "one"} | about, training_set=training_set, seed=seed, diverged=diverged
    )
    return str(path)


def scored(tmp_path, models, paths, row="flux", trained=None, residuals=None, **scoring):
    """The scores, the pixel AUCs and the examples that the stage writes; the maps are in `out-maps`."""
    outputs = score.ScorePaths(**{field.name: tmp_path / f"out-{field.name}" for field in fields(score.ScorePaths)})
    score.score(
        outputs,
        model_paths=models,
        shard_paths=paths,
        residuals=residuals,
        row=row,
        trained=trained or row,
        scoring=scoring,
        dataset="one",
        smooth="smooth",
        seed=1,
        device="cpu",
    )
    return read_table(outputs.scores), read_table(outputs.pixels)[0], read_arrays(outputs.examples)


def test_every_image_has_a_score_of_every_model(tmp_path, paths):
    models = [model(tmp_path / "a"), model(tmp_path / "b", training_set="odd-0.1", seed=2)]
    (table, about), _, _ = scored(tmp_path, models, paths)
    assert list(table.columns) == ["pool", "class", "index", "none-0/1", "odd-0.1/2"]
    assert len(table) == (3 + 1) * COUNT, "and pseudo_anomalies of the validation images"
    assert about["diverged"] == {}
    test = table[table["pool"] == "test"].set_index(["class", "index"])["none-0/1"]
    brighter = (test["odd"] - test["smooth"]).to_numpy() * 5  # scores are in units of the training set's brightness
    np.testing.assert_allclose(brighter, 36 / 144, rtol=1e-4)


def test_the_oracle_gets_the_smooth_twin(tmp_path, paths):
    (table, _), pixels, _ = scored(tmp_path, [model(tmp_path / "a", "oracle")], paths, row="oracle")
    test = table[table["pool"] == "test"]
    assert test.loc[test["class"] == "odd", "none-0/1"].min() > 5
    assert 0.3 < test.loc[test["class"] == "smooth", "none-0/1"].mean() < 2
    assert 0.3 < table.loc[table["pool"] == "validation", "none-0/1"].mean() < 2
    assert pixels["pixel_auc"].item() > 0.9
    assert pixels["images"].item() == COUNT


def test_a_model_that_diverged_has_no_scores_and_a_reason(tmp_path, paths):
    models = [model(tmp_path / "a"), model(tmp_path / "b", seed=2, diverged="it became nan")]
    (table, about), pixels, _ = scored(tmp_path, models, paths)
    assert about["diverged"] == {"none-0/2": "it became nan"}
    assert table["none-0/2"].isna().all()
    assert table["none-0/1"].notna().all()
    assert list(pixels["seed"]) == [1]


@pytest.mark.parametrize("healthy", [True, False])
def test_examples_are_of_a_model_that_did_not_diverge(tmp_path, paths, healthy):
    models = [model(tmp_path / "a", "pca", diverged="it became nan")]
    models += [model(tmp_path / "b", "pca", seed=2)] if healthy else []
    _, _, (arrays, _) = scored(tmp_path, models, paths, row="pca")
    assert set(arrays) == {"images", "truth"} | ({"reconstructions"} if healthy else set())
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_examples_show_twins_and_their_true_difference(tmp_path, paths):
    _, _, (arrays, about) = scored(tmp_path, [model(tmp_path / "a")], paths)
    assert about["classes"] == "smooth,odd"
    assert (
        arrays["images"].shape
        == arrays["truth"].shape
        == arrays["anomaly_maps"].shape
        == (2, N_EXAMPLES, PIXELS, PIXELS)
    )
    assert not arrays["truth"][0].any()
    assert (arrays["truth"][1, :, :6, :6] == 1).all()
    assert not arrays["truth"][1, :, 6:].any()


def test_maps_are_of_the_highest_scored_and_of_the_first_images(tmp_path, paths, monkeypatch):
    monkeypatch.setattr(kept_maps, "N_HIGHEST", 3)
    models = [model(tmp_path / "a", diverged="it became nan"), model(tmp_path / "b", seed=2)]
    (table, _), _, _ = scored(tmp_path, models, paths)
    arrays, about = read_arrays(tmp_path / "out-maps")
    assert (about["training_set"], about["seed"]) == ("none-0", 2)
    assert set(arrays) == {"class", "index", "anomaly_maps"}
    classes = np.array(about["classes"].split(","))[arrays["class"]]
    images = np.concatenate([shards.read(path).images for path in paths[:4]]).reshape(2, COUNT, PIXELS, PIXELS)
    for c, cls in enumerate(CLASSES):
        scores = table[(table["pool"] == "test") & (table["class"] == cls)].set_index("index")["none-0/2"]
        kept = arrays["index"][classes == cls]
        assert set(kept) == {0, 1, *scores.nlargest(3).index}
        maps = arrays["anomaly_maps"][classes == cls]
        np.testing.assert_allclose(maps, images[c, kept] / loading.load(models[1])[0].scale.item(), rtol=1e-5)


def test_residuals_are_in_units_of_the_noise(tmp_path, paths):
    path = model(tmp_path / "a", "pca", camera=KnownCamera(0.002, 0.01, 2.0))
    _, _, (examples, _) = scored(tmp_path, [path], paths, row="pca")
    arrays, _ = read_arrays(tmp_path / "out-maps")
    assert set(arrays) == {"class", "index", "reconstructions", "residuals"}
    first = (arrays["class"] == 1) & (arrays["index"] == 0)
    image, made = examples["images"][1, 0], examples["reconstructions"][1, 0]
    np.testing.assert_allclose(arrays["reconstructions"][first][0], made, rtol=1e-5)
    noise = np.sqrt(0.002 * made + 0.01)
    np.testing.assert_allclose(arrays["residuals"][first][0], (image - made) / noise, rtol=1e-3, atol=1e-3)


def test_no_maps_are_kept_if_all_models_diverged(tmp_path, paths):
    scored(tmp_path, [model(tmp_path / "a", diverged="it became nan")], paths)
    arrays, about = read_arrays(tmp_path / "out-maps")
    assert arrays == {}
    assert "training_set" not in about


def test_large_maps_are_averaged_over_what_was_observed():
    images = np.random.default_rng(0).normal(size=(3, 32, 32))
    blocks = images.reshape(3, 16, 2, 16, 2).swapaxes(2, 3)
    np.testing.assert_allclose(kept_maps.averaged_down(images), blocks.mean(axis=(3, 4)), rtol=1e-4, atol=1e-6)
    images[0, 0, 0] = np.nan
    images[0, 2:4, 2:4] = np.nan
    with_gaps = kept_maps.averaged_down(images)[0]
    assert with_gaps[0, 0] == pytest.approx(images[0, :2, :2].ravel()[1:].mean(), rel=1e-5)
    assert np.isnan(with_gaps[1, 1])
    assert np.isfinite(with_gaps).sum() == 16 * 16 - 1
    assert kept_maps.averaged_down(images[:, :12, :12]).shape == (3, 12, 12)
    assert kept_maps.averaged_down(np.zeros((1, 25, 25))).shape == (1, 16, 16)


def test_a_row_that_only_scores_in_another_way_takes_the_models_of_another(tmp_path, paths):
    models = [model(tmp_path / "a", "oracle", camera=KnownCamera(0.0, 0.01, 2.0))]
    (matched, _), _, _ = scored(tmp_path, models, paths, row="oracle", score="matched")
    (plain, about), _, _ = scored(tmp_path, models, paths, row="oracle_plain", trained="oracle", score="error")
    assert about["detector"] == "oracle_plain"
    odd = plain["class"] == "odd"
    assert plain.loc[odd, "none-0/1"].mean() < 0.9 * matched.loc[odd, "none-0/1"].mean()


def test_what_training_reads_cannot_be_changed_when_scoring(tmp_path, paths):
    with pytest.raises(ValueError, match=r"training of pca depends on \['components'\]"):
        scored(tmp_path, [model(tmp_path / "a", "pca")], paths, row="pca", components=3)


def test_models_of_others_are_refused(tmp_path, paths):
    with pytest.raises(ValueError, match="is of dcae on one, not of flux on one"):
        scored(tmp_path, [model(tmp_path / "a", row="dcae")], paths)


def test_pixel_aucs_are_those_of_each_image():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    maps, odd = rng.integers(0, 9, (5, 40)).astype(float), rng.random((5, 40)) < 0.3
    odd[3] = False
    expected = [roc_auc_score(o, m) for m, o in zip(maps, odd, strict=True) if o.any()]
    np.testing.assert_allclose(pixel_aucs(maps, odd), expected)


def test_a_detector_without_maps_has_no_pixel_aucs(tmp_path, paths):
    assert not issubclass(loading.detector("random"), MapsAnomalies)
    _, pixels, _ = scored(tmp_path, [model(tmp_path / "a", "random")], paths, row="random")
    assert list(pixels.columns) == ["training_set", "seed", "class", "pixel_auc", "pixel_auc_error", "images"]
    assert pixels.empty


def test_what_a_detector_finds_stands_beside_its_scores(tmp_path, paths, monkeypatch):
    flux = loading.detector("flux")
    plain = flux.anomaly_score
    monkeypatch.setattr(flux, "findings", ("doubtful", "twice"))
    monkeypatch.setattr(
        flux,
        "anomaly_score",
        lambda self, i: torch.stack([plain(self, i), plain(self, i) * 0, 2 * plain(self, i)], dim=1),
    )
    (table, _), _, _ = scored(tmp_path, [model(tmp_path / "a"), model(tmp_path / "b", seed=2)], paths)
    found, about = read_table(tmp_path / "out-findings")
    assert about == {"kind": "findings", "dataset": "one", "detector": "flux"}
    assert list(found.columns) == ["pool", "class", "index", "training_set", "seed", "doubtful", "twice"]
    first = found[found["seed"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(first[["pool", "class", "index"]], table[["pool", "class", "index"]])
    np.testing.assert_allclose(first["twice"], 2 * table["none-0/1"], rtol=1e-4)
    assert len(found) == 2 * len(table)


class Halves(loading.detector("pca"), ProvidesResiduals):
    """As if the smooth lens were known: the residual is half of an image, and the map a quarter of it."""

    def residuals(self, images):
        return torch.cat([images / 2, images / 4], dim=1) * self.scale


def test_a_row_may_get_the_residuals_of_another(tmp_path, paths, monkeypatch):
    fitting_model = model(tmp_path / "fitting_row", "pca")
    monkeypatch.setattr(importlib.import_module("oddlens.detectors.pca"), "PCA", Halves)
    monkeypatch.setattr(Halves, "__module__", "oddlens.detectors.pca")
    inputs = {"residual": [], "scan": []}
    for k, path in enumerate(paths):
        outputs = {name: str(tmp_path / f"{name}-{k}.h5") for name in inputs}
        residual_inputs(fitting_model, path, outputs, device="cpu")
        for name, output in outputs.items():
            inputs[name].append(output)
    whole, half = shards.read(paths[2]), shards.read(inputs["residual"][2])
    np.testing.assert_allclose(half.images, whole.images / 2, rtol=1e-6)
    np.testing.assert_array_equal(half.arrays["noise_free"], whole.arrays["noise_free"])
    known = half.group("truth")
    assert (known["noise_gain"] == 0).all()
    assert (known["noise_background"] == 1).all()
    assert (known["psf_fwhm_pixels"] == 2).all()
    assert (shards.read(inputs["scan"][2]).group("truth")["psf_fwhm_pixels"] == 0).all()
    assert half.attributes["units"] != whole.attributes["units"]

    models = [model(tmp_path / "a")]
    (plain, _), _, _ = scored(tmp_path, models, paths)
    for kind, part in (("residual", 2), ("scan", 4)):
        residuals = score.ResidualShards(kind, inputs[kind], fitting_model)
        (table, _), _, (arrays, _) = scored(tmp_path, models, paths, residuals=residuals)
        np.testing.assert_allclose(table["none-0/1"] * part, plain["none-0/1"], rtol=1e-5)  # pseudo-anomalies, too
        assert arrays["images"].max() > 5, "the figures show the images"
        kept = read_arrays(tmp_path / "out-maps")[0]
        first = kept["residuals"][(kept["class"] == 1) & (kept["index"] == 0)][0]
        np.testing.assert_allclose(first, arrays["images"][1, 0] / part, rtol=1e-5)


def test_a_model_without_residuals_is_refused(tmp_path, paths):
    with pytest.raises(ValueError, match="model of flux, which provides no residuals"):
        residual_inputs(model(tmp_path / "a"), paths[0], {}, device="cpu")


def test_the_truth_table_has_a_line_for_every_image(tmp_path, paths):
    truth.truth(tmp_path / "truth.csv", paths, "one")
    table, about = read_table(tmp_path / "truth.csv")
    assert about == {"kind": "truth", "dataset": "one"}
    assert len(table) == 3 * COUNT
    odd = table["class"] == "odd"
    assert (table.loc[odd, "mass"] == table.loc[odd, "index"] + 1).all()
    assert (table.loc[~odd, "mass"] == 0).all()
