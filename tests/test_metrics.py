import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from sklearn.metrics import roc_auc_score

from oddlens import metrics

SCORES = arrays.arrays(np.float64, st.integers(2, 30), elements=st.integers(0, 12).map(float))


def test_auc_by_hand():
    # pairs (3 > 1), (3 > 2), (2 > 1), (2 = 2): 3.5 of 4
    auc, _ = metrics.auc_with_variance(np.array([1.0, 2.0]), np.array([3.0, 2.0]))
    assert auc == 3.5 / 4


def test_variance_by_hand():
    # V10 = (2/2, 1.5/2), V01 = (2/2, 1.5/2): sample variances 1/32 each, divided by 2 each
    _, variance = metrics.auc_with_variance(np.array([1.0, 2.0]), np.array([3.0, 2.0]))
    assert variance == pytest.approx(1 / 32)


@given(SCORES, SCORES)
@hypothesis_settings(deadline=None)
def test_auc_equals_scikit_learn_with_ties(normal, anomalous):
    labels = np.r_[np.zeros(len(normal)), np.ones(len(anomalous))]
    auc, variance = metrics.auc_with_variance(normal, anomalous)
    assert auc == pytest.approx(roc_auc_score(labels, np.r_[normal, anomalous]))
    assert variance >= 0


@given(SCORES, SCORES)
@hypothesis_settings(deadline=None)
def test_only_the_order_counts(normal, anomalous):
    assert metrics.auc_with_variance(normal, anomalous) == metrics.auc_with_variance(np.exp(normal), np.exp(anomalous))


def test_the_interval_covers_the_truth_as_often_as_it_says():
    truth = stats.norm.cdf(1 / np.sqrt(2))  # N(1, 1) above N(0, 1)
    rng, hits, trials = np.random.default_rng(0), 0, 600
    for _ in range(trials):
        low, high = metrics.interval(*metrics.auc_with_variance(rng.normal(0, 1, 80), rng.normal(1, 1, 60)))
        hits += low <= truth <= high
    assert 0.93 < hits / trials < 0.97


def test_the_interval_stays_inside_the_unit_interval():
    rng = np.random.default_rng(1)
    low, high = metrics.interval(*metrics.auc_with_variance(rng.normal(0, 1, 30), rng.normal(2, 1, 30)))
    assert 0 < low < high < 1
    assert metrics.interval(1.0, 0.0) == (1.0, 1.0)


def test_quality_of_perfect_reversed_and_constant_scores():
    low, high = np.arange(50.0), np.arange(50.0) + 100
    assert metrics.quality(low, high).tpr_at_fpr_01 == 1
    assert metrics.quality(low, high).average_precision == 1
    assert metrics.quality(high, low).auc == 0
    assert metrics.quality(np.ones(50), np.ones(50)).auc == 0.5
    assert metrics.quality(np.ones(50), np.ones(50)).tpr_at_fpr_05 == 0


def test_rates_at_fixed_false_alarms_by_hand():
    normal = np.arange(100.0)  # the highest is 99: one false alarm in a hundred above 98.5
    found = metrics.quality(normal, np.array([98.5, 99.5, 93.0, 94.5]))
    assert found.tpr_at_fpr_01 == 0.5
    assert found.tpr_at_fpr_05 == 0.75


def test_too_few_images_are_told():
    with pytest.raises(ValueError, match="got 1 normal and 3 anomalous"):
        metrics.auc_with_variance(np.ones(1), np.ones(3))
