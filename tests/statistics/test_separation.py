"""Facts that tell groups apart are significant, and those that do not are not."""

import numpy as np
import pytest
from scipy import stats

from oddlens.statistics import separation
from oddlens.statistics.separation import of_categories, of_numbers

RNG = np.random.default_rng(0)


def test_the_significance_of_numbers_is_that_of_mann_and_whitney():
    first, second = RNG.integers(0, 9, 60).astype(float), RNG.integers(2, 11, 50).astype(float)
    found = of_numbers(first, second)
    expected = stats.mannwhitneyu(second, first, use_continuity=False, method="asymptotic")
    assert found.auc == pytest.approx(expected.statistic / (60 * 50))
    assert found.z == pytest.approx(stats.norm.isf(expected.pvalue / 2))
    assert found.error == pytest.approx(abs(found.auc - 0.5) / found.z)


def test_complete_separation_of_few_images_is_significant():
    found = of_numbers(np.arange(10.0), np.arange(10.0) + 20)
    assert found.auc == 1
    assert found.z == pytest.approx(stats.norm.isf(1 / 184756))
    assert of_numbers(np.arange(10.0) + 20, np.arange(10.0)).auc == 0


def test_numbers_that_are_unknown_are_a_value_of_their_own():
    assert of_numbers(np.full(20, np.nan), np.zeros(20)).z > 4
    assert of_numbers(np.full(20, np.nan), np.full(20, np.nan)).z == 0


@pytest.mark.parametrize("pair", [([1.0] * 9, [1.0] * 8), ([], [1.0]), ([1.0], [2.0])])
def test_equal_or_single_numbers_tell_nothing(pair):
    assert of_numbers(*map(np.array, pair)) == separation.NOTHING


def test_two_categories_are_judged_by_fishers_test():
    first, second = np.array(["a"] * 15 + ["b"] * 5), np.array(["a"] * 4 + ["b"] * 16)
    p = stats.fisher_exact([[15, 5], [4, 16]]).pvalue
    found = of_categories(first, second)
    assert found.z == pytest.approx(stats.norm.isf(p / 2))
    assert found.auc == pytest.approx((15 * 16 + 0.5 * (15 * 4 + 5 * 16)) / 400)


def test_many_categories_are_judged_together():
    first, second = RNG.integers(0, 5, 400).astype(str), RNG.integers(1, 6, 400).astype(str)
    assert of_categories(first, second).z > 6


def test_a_category_of_each_image_tells_nothing():
    names = np.arange(200).astype(str)
    assert of_categories(names[:100], names[100:]) == separation.NOTHING


def test_groups_that_are_alike_are_rarely_significant():
    z = []
    for _ in range(2000):
        levels = RNG.integers(0, 4, 100).astype(str)
        numbers = RNG.exponential(1, 100).round(1)
        z += [of_categories(levels[:60], levels[60:]).z, of_numbers(numbers[:60], numbers[60:]).z]
    assert np.mean(np.array(z) > 2) < 0.06
    assert np.mean(np.array(z) > separation.SIGMA) < 0.006


def test_the_threshold_grows_with_the_number_of_checks():
    assert separation.threshold(1) == pytest.approx(3)
    assert stats.norm.sf(separation.threshold(40)) * 40 == pytest.approx(stats.norm.sf(3))


def test_images_of_one_lens_count_once():
    lens = np.array([3, 3, 3, 1])
    np.testing.assert_allclose(separation.lens_means(np.array([1.0, 2.0, 3.0, 7.0]), lens), [7, 2])
    assert separation.first_of_lens(lens).tolist() == [3, 0]
