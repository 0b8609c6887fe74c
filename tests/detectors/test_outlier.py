"""Every algorithm of PyOD that is offered, by what a detector must keep; and those that are refused."""

import importlib

import numpy as np
import pytest
from scipy import stats

from broken_rings import toy
from oddlens.config.rows import resolved_rows
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.model_files import save_model
from oddlens.detectors.outlier import ALGORITHMS, Outlier
from oddlens.schema.config_errors import ConfigError

OFFERED = sorted(ALGORITHMS)


@pytest.fixture(scope="module")
def images():
    return toy(240), toy(60, seed=5), toy(60, odd=1, seed=6)


@pytest.fixture(scope="module", params=OFFERED)
def fitted(request, images):
    model = Outlier.build(16, algorithm=request.param, components=12)
    before = np.random.get_state()[1].copy()
    model.fit(images[0], seed=1)
    model.score(images[1])
    assert (np.random.get_state()[1] == before).all()
    return model


def test_the_score_of_an_image_alone_is_its_score_in_a_batch(fitted, images):
    together = fitted.score(np.concatenate(images[1:]))
    alone = np.concatenate([fitted.score(images[2][k : k + 1]) for k in range(6)])
    np.testing.assert_allclose(alone, together[60:66], rtol=1e-6)
    among_odd = np.concatenate([images[1], 100 * images[2][:40]])
    np.testing.assert_allclose(fitted.score(among_odd)[:60], together[:60], rtol=1e-6)


def test_a_loaded_model_is_fitted_again_with_equal_scores(fitted, images, tmp_path):
    save_model(fitted, tmp_path / "m.safetensors")
    loaded, _ = loading.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.score(images[2]), fitted.score(images[2]))


def test_outliers_have_higher_scores(fitted, images):
    normal, odd = fitted.score(images[1]), fitted.score(images[2])
    assert stats.mannwhitneyu(odd, normal).statistic / 60**2 > 0.8


@pytest.mark.parametrize(("algorithm", "kind"), [("knn", "KNN"), ("lof", "LOF"), ("ocsvm", "OCSVM")])
def test_scores_are_those_of_pyod_with_its_default_settings(algorithm, kind, images):
    model = Outlier.build(16, algorithm=algorithm, components=12)
    model.fit(images[0], seed=1)
    detector = getattr(importlib.import_module(f"pyod.models.{algorithm}"), kind)()
    features = model.features[: len(images[0])].numpy().astype(np.float64)
    expected = detector.fit(features).decision_function(features)
    np.testing.assert_array_equal(model.score(images[0]), expected.astype(np.float32))


@pytest.mark.parametrize(
    ("algorithm", "words"),
    [
        ("ecod", "'ecod' is not offered, because its score of an image depends on the batch: use hbos"),
        ("COPOD", "'copod' is not offered"),
        ("rod", "minutes"),
        ("iforrest", "iforest"),
    ],
)
def test_other_algorithms_are_refused_by_name(algorithm, words):
    with pytest.raises(ConfigError, match="detectors.mine.algorithm: .*" + words):
        resolved_rows({"mine": {"detector": "outlier", "algorithm": algorithm}}, None, 1, {})


def test_none_of_those_refused_is_offered_and_all_alternatives_are():
    refused = Outlier.refused["algorithm"]
    assert not refused.keys() & set(OFFERED)
    assert {reason.rpartition(": use ")[2] for reason in refused.values()} <= set(OFFERED)
