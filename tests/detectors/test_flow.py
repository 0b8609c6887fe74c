"""The density of `flow` against normal distributions, whose density is known."""

import numpy as np
import pytest
import torch
from scipy import stats

from oddlens.detectors.interface import loading

PIXELS, COMPONENTS = 8, 6
TRAINING = {"epochs": 20, "batch_size": 100}


def images(count, seed=0, *, bent=False):
    """Images of six patterns with normal amplitudes and faint noise; `bent`: the second is the square of the first."""
    rng = np.random.default_rng(seed)
    patterns = np.linalg.qr(np.random.default_rng(99).normal(size=(PIXELS**2, COMPONENTS)))[0]
    amplitudes = rng.normal(size=(count, COMPONENTS))
    if bent:
        amplitudes[:, 1] = amplitudes[:, 0] ** 2 + 0.1 * amplitudes[:, 1]
    amplitudes *= [3, 2.5, 2, 1.5, 1.2, 1]
    noise = rng.normal(0, 0.01, (count, PIXELS**2))
    return (10 + amplitudes @ patterns.T + noise).reshape(count, PIXELS, PIXELS).astype(np.float32)


def fitted(train, **settings):
    given = {
        "components": COMPONENTS,
        "width": 64,
        "learning_rate": 1e-2,
        "symmetric": False,
        "stabilised": False,
    } | settings
    model = loading.detector("flow").build(PIXELS, seed=1, **given)
    model.fit(train, seed=1, training=TRAINING)
    return model


@torch.no_grad()
def negative_log_likelihoods(model, batch):
    """Minus the log-likelihoods [n] of images under the flow and under the background model."""
    return [x.numpy() for x in model._mean_over_orientations(torch.from_numpy(batch)[:, None] / model.scale)]


@pytest.mark.parametrize("map", ["affine", "spline"])
def test_the_likelihood_of_normal_images_is_that_of_a_normal_distribution(map):
    """The log-misfit is one more number, nearly normal too, and all are standardised."""
    model = fitted(images(2000), map=map)
    likelihood, background = negative_log_likelihoods(model, images(2000, seed=1))
    constant = 0.5 * (COMPONENTS + 1) * np.log(2 * np.pi)
    assert likelihood.mean() == pytest.approx((background + constant).mean(), abs=0.2)
    assert stats.spearmanr(likelihood, background).statistic > 0.9


def test_a_flow_knows_a_bent_distribution_better_than_the_background_does():
    """A parabola; points off it have a lower likelihood, and a normal distribution takes them for ordinary.

    The square has the larger variance and comes first; given it, the other number has two values, which takes two maps.
    """
    model, test = fitted(images(4000, bent=True), maps=2), images(1000, seed=1, bent=True)
    straight = images(1000, seed=2)
    every = [negative_log_likelihoods(model, batch) for batch in (test, straight)]
    (likelihood, background), (of_straight, background_of_straight) = every

    def auc(normal, anomalous):
        return stats.mannwhitneyu(anomalous, normal).statistic / len(normal) / len(anomalous)

    assert auc(likelihood, of_straight) > 0.85
    assert auc(likelihood - background, of_straight - background_of_straight) > 0.9
    assert auc(background, background_of_straight) < 0.6


def test_scores_are_the_likelihood_its_distance_from_the_median_and_a_ratio():
    train, test = images(1000), images(50, seed=1)
    scores = {name: fitted(train, score=name) for name in ("likelihood", "typicality", "ratio")}
    scores = {name: model.score(test) for name, model in scores.items()}
    model = fitted(train, score="likelihood")
    likelihood, background = negative_log_likelihoods(model, test)
    np.testing.assert_allclose(scores["likelihood"], likelihood, rtol=1e-5)
    np.testing.assert_allclose(scores["typicality"], abs(likelihood - model.centre.item()), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(scores["ratio"], likelihood - background, rtol=1e-4, atol=1e-4)
    assert np.mean(model.score(train) < model.centre.item()) == pytest.approx(0.5, abs=0.002)
