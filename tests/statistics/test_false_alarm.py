"""False-alarm probabilities are realised by smooth lenses, far beyond the highest score of the calibration."""

import numpy as np
import pytest
from scipy import stats

from oddlens.statistics.false_alarm import EXTRAPOLATION, false_alarm, one_in

SHAPES = {"normal": stats.norm(), "exponential": stats.expon(), "heavy": stats.t(4), "bounded": stats.beta(2, 3)}


def calibrations(shape, rng, count=200, n=1000):
    return (shape.rvs(size=n, random_state=rng) for _ in range(count))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_claim_is_realised_on_average(shape):
    """Over many calibrations; a single one of 1,000 lenses is off by a factor of 2 or 3 at 1 in 1,000, as ranks are."""
    chance = np.geomspace(0.1, 1e-7, 300)
    realised = {20: [], 1000: [], 1 / 3e-4: []}
    for smooth in calibrations(shape, np.random.default_rng(1)):
        claimed = false_alarm(shape.isf(chance), smooth)
        for claim, rates in realised.items():
            rates.append(chance[claimed <= 1 / claim].max(initial=0))
    ratio = {claim: claim * np.mean(rates) for claim, rates in realised.items()}
    assert ratio[20] == pytest.approx(1, abs=0.1)
    assert 1 / 1.5 < ratio[1000] < 1.5
    assert 1 / 1.5 < ratio[1 / 3e-4] < 1.5


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_smooth_lenses_get_every_probability_as_often(shape):
    rng = np.random.default_rng(2)
    fresh = [false_alarm(shape.rvs(size=100, random_state=rng), smooth) for smooth in calibrations(shape, rng)]
    assert stats.kstest(np.concatenate(fresh), "uniform").statistic < 0.02


def test_few_scores_have_ranks_alone_and_ties_count_against_the_image():
    smooth = np.array([1.0, 2, 2, 3])
    np.testing.assert_allclose(false_alarm([0, 1, 2, 2.5, 3, 9], smooth), np.array([5, 5, 4, 2, 2, 1]) / 5)
    np.testing.assert_allclose(false_alarm([0, 1, 2], np.ones(1000)), [1, 1, 1 / 1001])
    coarse = np.random.default_rng(0).poisson(50, 1000)
    assert false_alarm([1e3], coarse) == 1 / 1001


def test_it_falls_without_a_jump_and_never_to_zero():
    smooth = np.random.default_rng(3).random(1000)  # that of an image beyond 1 would be 0
    scores = np.linspace(-0.5, 2, 5000)
    claimed = false_alarm(scores, smooth)
    assert (np.diff(claimed) <= 0).all()
    assert np.diff(claimed).min() > -0.005  # ranks go down by one or a few at a time
    assert (claimed[0], claimed[-1]) == (1, 1 / (EXTRAPOLATION * 1000))


def test_the_unit_of_the_scores_does_not_matter():
    rng = np.random.default_rng(4)
    smooth, scores = rng.normal(size=500), rng.normal(1, 2, 50)
    np.testing.assert_allclose(false_alarm(3e-9 * scores, 3e-9 * smooth), false_alarm(scores, smooth), rtol=1e-6)
    np.testing.assert_allclose(false_alarm(scores + 64, smooth + 64), false_alarm(scores, smooth), rtol=1e-6)


def test_unknown_scores_give_nan():
    smooth = np.random.default_rng(5).normal(size=200)
    assert list(np.isnan(false_alarm([np.nan, 1.0], smooth))) == [True, False]
    assert np.isnan(false_alarm([1.0], np.append(smooth, np.nan))).all()


def test_a_probability_in_words():
    assert [one_in(p) for p in (1, 1 / 3000, 0, np.nan)] == ["1 in 1", "1 in 3,000", "none", "–"]
