import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from sklearn.metrics import roc_auc_score

from made_up import auc_with_variance
from oddlens.statistics import metrics

SCORES = arrays.arrays(np.float64, st.integers(2, 30), elements=st.integers(0, 12).map(float))


def test_auc_by_hand():
    # pairs (3 > 1), (3 > 2), (2 > 1), (2 = 2): 3.5 of 4
    auc, _ = auc_with_variance(np.array([1.0, 2.0]), np.array([3.0, 2.0]))
    assert auc == 3.5 / 4


def test_variance_by_hand():
    # V10 = (2/2, 1.5/2), V01 = (2/2, 1.5/2): sample variances 1/32 each, divided by 2 each
    _, variance = auc_with_variance(np.array([1.0, 2.0]), np.array([3.0, 2.0]))
    assert variance == pytest.approx(1 / 32)


@given(SCORES, SCORES)
@hypothesis_settings(deadline=None)
def test_auc_equals_scikit_learn_with_ties(normal, anomalous):
    labels = np.r_[np.zeros(len(normal)), np.ones(len(anomalous))]
    auc, variance = auc_with_variance(normal, anomalous)
    assert auc == pytest.approx(roc_auc_score(labels, np.r_[normal, anomalous]))
    assert variance >= 0


@given(SCORES, SCORES)
@hypothesis_settings(deadline=None)
def test_only_the_order_counts(normal, anomalous):
    assert auc_with_variance(normal, anomalous) == auc_with_variance(np.exp(normal), np.exp(anomalous))


def test_the_interval_covers_the_truth_as_often_as_it_says():
    truth = stats.norm.cdf(1 / np.sqrt(2))  # N(1, 1) above N(0, 1)
    rng, hits, trials = np.random.default_rng(0), 0, 600
    for _ in range(trials):
        low, high = metrics.interval(*auc_with_variance(rng.normal(0, 1, 80), rng.normal(1, 1, 60)))
        hits += low <= truth <= high
    assert 0.93 < hits / trials < 0.97


def test_the_interval_stays_inside_the_unit_interval():
    rng = np.random.default_rng(1)
    low, high = metrics.interval(*auc_with_variance(rng.normal(0, 1, 30), rng.normal(2, 1, 30)))
    assert 0 < low < high < 1
    assert metrics.interval(np.array([1.0]), np.array([0.0])) == (1.0, 1.0)


def test_quality_of_perfect_reversed_and_constant_scores():
    low, high = np.arange(50.0), np.arange(50.0) + 100
    perfect, reversed_, constant = (
        metrics.quality(*scores) for scores in ((low, high), (high, low), (np.ones(50), np.ones(50)))
    )
    assert perfect == pytest.approx(dict.fromkeys(metrics.QUALITIES, 1))
    assert reversed_["tpr_at_fpr_05"] == reversed_["partial_auc"] == 0
    assert constant == pytest.approx(
        {"average_precision": 0.5, "tpr_at_fpr_01": 0, "tpr_at_fpr_05": 0, "partial_auc": 0.0255}
    )


def test_the_partial_auc_is_a_part_of_the_auc():
    rng = np.random.default_rng(4)
    fpr, tpr = metrics.roc(rng.normal(0, 1, 300).round(1), rng.normal(1, 1, 300).round(1))  # with ties
    edges = np.array([0.0, 0.0013, 0.05, 0.31, 1.0])
    parts = [metrics.partial_auc(fpr, tpr, *pair) * np.diff(pair)[0] for pair in itertools.pairwise(edges)]
    assert sum(parts) == pytest.approx(np.trapezoid(tpr, fpr))
    assert parts[1] / (0.05 - 0.0013) == pytest.approx(
        np.interp(np.linspace(0.0013, 0.05, 99), fpr, tpr).mean(), abs=0.02
    )


def test_the_partial_auc_is_that_of_normal_distributions():
    """The true positive rate at x is Phi(d + Phi^-1(x)) for scores that are d standard deviations apart."""
    quantiles = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    rates = np.linspace(*metrics.PARTIAL_RATES, 4001)
    expected = stats.norm.cdf(1.5 + stats.norm.ppf(rates)).mean()
    found = metrics.partial_auc(*metrics.roc(quantiles, quantiles + 1.5), *metrics.PARTIAL_RATES)
    assert found == pytest.approx(expected, abs=1e-3)


def test_rates_at_fixed_false_alarms_by_hand():
    normal = np.arange(100.0)  # the highest is 99: one false alarm in a hundred above 98.5
    found = metrics.quality(normal, np.array([98.5, 99.5, 93.0, 94.5]))
    assert found["tpr_at_fpr_01"] == 0.5
    assert found["tpr_at_fpr_05"] == 0.75


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="got 1 normal and 3 anomalous"):
        auc_with_variance(np.ones(1), np.ones(3))


# --- images that share lenses ----------------------------------------------------------------------------------------


def twins(lenses=60, models=3, classes=2, seed=0):
    """Scores of twins, which share a part: normal [models, lenses], anomalous, and the lenses of each."""
    rng = np.random.default_rng(seed)
    lens = rng.normal(0, 1.5, lenses) + rng.normal(0, 0.5, (models, lenses))
    strength = np.linspace(0.3, 1.2, models)[:, None]
    normal = lens + rng.normal(0, 1, lens.shape)
    anomalous = np.concatenate([lens + strength + rng.normal(0, 1, lens.shape) for _ in range(classes)], axis=1)
    return normal, anomalous, np.arange(lenses), np.tile(np.arange(lenses), classes)


def bootstrapped(normal, anomalous, normal_lens, anomalous_lens, draws=1500):
    """The covariance of AUCs when lenses are resampled, each with all its images."""
    rng, found = np.random.default_rng(1), []
    lenses = np.unique(np.r_[normal_lens, anomalous_lens])
    of_normal = [np.flatnonzero(normal_lens == k) for k in lenses]
    of_anomalous = [np.flatnonzero(anomalous_lens == k) for k in lenses]
    for _ in range(draws):
        resampled = rng.integers(0, len(lenses), len(lenses))
        n, a = (np.concatenate([of[k] for k in resampled]) for of in (of_normal, of_anomalous))
        found.append(metrics.placements(normal[:, n], anomalous[:, a])[0].mean(axis=1))
    return np.cov(np.array(found).T)


def delong(normal, anomalous):
    """DeLong's covariance of independent images, as in equation 5 and the text after it of DeLong et al. 1988."""
    v10, v01 = metrics.placements(normal, anomalous)
    return np.cov(v10) / anomalous.shape[1] + np.cov(v01) / normal.shape[1]


def test_images_of_different_lenses_give_delongs_covariance():
    normal, anomalous, *_ = twins()
    found = metrics.areas(normal, anomalous, np.arange(60), np.arange(60, 180))
    np.testing.assert_allclose(found.covariance, delong(normal, anomalous), rtol=1e-12)


def test_complete_pairs_give_the_variance_of_the_sums_of_placements():
    normal, anomalous, lens, anomalous_lens = twins(classes=1)
    found = metrics.areas(normal, anomalous, lens, anomalous_lens)
    v10, v01 = metrics.placements(normal, anomalous)
    np.testing.assert_allclose(found.covariance, np.cov(v10 + v01) / 60, rtol=1e-12)


@pytest.mark.parametrize("missing", [0, 25], ids=["every lens has all its twins", "some lenses have no anomalous twin"])
def test_the_covariance_is_that_of_a_bootstrap_over_lenses(missing):
    normal, anomalous, lens, anomalous_lens = twins(lenses=150)
    kept = np.arange(missing, len(anomalous_lens))
    scores = normal, anomalous[:, kept], lens, anomalous_lens[kept]
    found, expected = metrics.areas(*scores).covariance, bootstrapped(*scores)
    scale = np.sqrt(np.outer(expected.diagonal(), expected.diagonal()))
    assert np.abs((found - expected) / scale).max() < 0.12
    assert (delong(*scores[:2]) / expected).diagonal().max() > 1.3  # what knowing the twins is worth


def test_intervals_of_twins_cover_the_truth_as_often_as_they_say():
    truth = stats.norm.cdf(0.8 / np.sqrt(2))
    rng, hits, wide, trials = np.random.default_rng(0), 0, 0, 500
    for _ in range(trials):
        lens = rng.normal(0, np.sqrt(0.8), 80)
        normal, anomalous = (lens + rng.normal(shift, np.sqrt(0.2), 80) for shift in (0, 0.8))
        found = metrics.areas(normal[None], anomalous[None], np.arange(80), np.arange(80))
        low, high = metrics.interval(found.auc, found.variance)
        hits += low[0] <= truth <= high[0]
        low, high = metrics.interval(*auc_with_variance(normal, anomalous))
        wide += low <= truth <= high
    assert 0.92 < hits / trials < 0.98
    assert wide / trials > 0.99


@given(st.integers(0, 10**6))
@hypothesis_settings(deadline=None, max_examples=30)
def test_neither_the_order_of_images_nor_which_side_is_called_anomalous_matters(seed):
    rng = np.random.default_rng(seed)
    normal, anomalous = rng.integers(0, 9, (2, 12)).astype(float), rng.integers(0, 9, (2, 20)).astype(float)
    lens, anomalous_lens = np.arange(12), rng.integers(0, 15, 20)
    found = metrics.areas(normal, anomalous, lens, anomalous_lens)
    n, m = rng.permutation(12), rng.permutation(20)
    shuffled = metrics.areas(normal[:, n], anomalous[:, m], lens[n], anomalous_lens[m])
    swapped = metrics.areas(anomalous, normal, anomalous_lens, lens)
    np.testing.assert_allclose(shuffled.auc, found.auc)
    np.testing.assert_allclose(shuffled.covariance, found.covariance, atol=1e-15)
    np.testing.assert_allclose(swapped.auc, 1 - found.auc)
    np.testing.assert_allclose(swapped.covariance, found.covariance, atol=1e-15)


def test_the_mean_over_seeds_has_the_variance_of_its_mean_placements():
    normal, anomalous, lens, anomalous_lens = twins()
    mean = metrics.areas(normal, anomalous, lens, anomalous_lens).combined(np.full((1, 3), 1 / 3))
    v10, v01 = (v.mean(axis=0) for v in metrics.placements(normal, anomalous))
    by_lens = v10.reshape(2, 60).mean(axis=0) + v01  # [classes, lenses] -> [lenses]
    assert mean.auc[0] == pytest.approx(v10.mean())
    assert mean.variance[0] == pytest.approx(by_lens.var(ddof=1) / 60)


# --- tests, seeds, rates ---------------------------------------------------------------------------------------------


def test_two_equal_detectors_do_not_differ_and_two_sure_ones_do():
    normal, anomalous, lens, anomalous_lens = twins(models=1)
    twice = metrics.areas(normal[[0, 0]], anomalous[[0, 0]], lens, anomalous_lens).combined(np.array([[1.0, -1.0]]))
    assert [float(x[0]) for x in metrics.difference(twice.auc, twice.variance)] == [0, 0, 1]
    assert metrics.difference(np.array([0.5]), np.array([0.0]))[2] == 0


def test_a_difference_is_found_by_chance_as_often_as_its_p_says():
    rng, p = np.random.default_rng(0), []
    for _ in range(400):
        lens = rng.normal(0, 1, 60)
        normal, anomalous = (lens + shift + rng.normal(0, 1, (2, 60)) for shift in (0, 0.7))
        found = metrics.areas(normal, anomalous, np.arange(60), np.arange(60)).combined(np.array([[1.0, -1.0]]))
        p.append(metrics.difference(found.auc, found.variance)[2][0])
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.085
    assert 0.14 < np.mean(np.array(p) < 0.2) < 0.26


def test_intervals_over_seeds_are_students():
    values = np.array([0.61, 0.63, 0.66, 0.60])
    low, high, p = metrics.over_seeds(values)
    expected = stats.ttest_1samp(values, 0)
    assert (low, high) == pytest.approx(tuple(expected.confidence_interval()))
    assert p == pytest.approx(expected.pvalue)


def test_seeds_that_gave_nothing_are_left_out_and_one_seed_has_no_interval():
    rows = np.array([[0.1, 0.3, np.nan], [0.2, np.nan, np.nan], [np.nan] * 3, [0.4, 0.4, 0.4]])
    low, high, p = metrics.over_seeds(rows)
    assert (low[0], high[0]) == pytest.approx(tuple(stats.ttest_1samp(rows[0, :2], 0).confidence_interval()))
    assert np.isnan([low[1], high[1], p[1], low[2], p[2]]).all()
    assert (low[3], high[3], p[3]) == pytest.approx((0.4, 0.4, 0))


@pytest.mark.parametrize("n", [40, 99, 100, 1000])
def test_a_threshold_is_passed_by_as_many_further_images_as_it_says(n):
    rng = np.random.default_rng(0)
    limit = metrics.threshold(rng.random((4000, n)), 0.01)  # of uniform scores, 1 - limit pass it
    assert 1 - limit.mean() == pytest.approx(max(0.01, 1 / (n + 1)), rel=0.06)
    assert metrics.threshold(np.zeros(50), 0.01) == 0


def test_the_interval_of_a_rate_is_clopper_and_pearsons():
    low, high = metrics.rate_interval(np.array([0.03, 0.0, 1.0, np.nan]), np.full(4, 100))
    for k, count in enumerate((3, 0, 100)):
        assert (low[k], high[k]) == pytest.approx(tuple(stats.binomtest(count, 100).proportion_ci()))
    assert np.isnan([low[3], high[3]]).all()
