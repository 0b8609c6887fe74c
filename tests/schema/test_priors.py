"""Priors: what their quantile functions keep, and what is rejected, with which words."""

from typing import Annotated

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import integrate, stats

from oddlens.schema.priors import Prior, max_count, poisson, within
from oddlens.schema.section import Section

common = settings(deadline=None, derandomize=True, database=None, max_examples=200)


class Holder(Section):
    prior: Prior


class Bounded(Section):
    prior: Annotated[Prior, within(0, 10)]


def parsed(value):
    return Holder(prior=value).prior


number = st.floats(-1e6, 1e6)
positive = st.floats(1e-3, 1e6)
ratio = st.floats(1.01, 1e6)
bounded = {
    "uniform": st.tuples(number, positive).map(lambda p: [p[0], p[0] + p[1]]),
    "loguniform": st.tuples(positive, ratio).map(lambda p: [p[0], p[0] * p[1]]),
    "powerlaw": st.tuples(st.sampled_from([-1.9, -1, -0.9, 0, 2.5]), positive, ratio).map(
        lambda p: [p[0], p[1], p[1] * p[2]]
    ),
    "truncnorm": st.tuples(number, positive, st.floats(-3, 2), st.floats(0.1, 4)).map(
        lambda p: [p[0], p[1], p[0] + p[1] * p[2], p[0] + p[1] * (p[2] + p[3])]
    ),
    "integers": st.tuples(st.integers(-100, 100), st.integers(0, 50)).map(lambda p: [p[0], p[0] + p[1]]),
}
unbounded = {
    "normal": st.tuples(number, positive).map(list),
    "poisson": st.floats(0.01, 1000).map(lambda mean: [mean]),
}


def written(kinds):
    """Priors as YAML holds them."""
    return st.one_of([parameters.map(lambda p, kind=kind: {kind: p}) for kind, parameters in kinds.items()])


def probabilities():
    return st.lists(st.floats(1e-16, 1 - 1e-16), min_size=2, max_size=20).map(np.array)


@common
@given(written(bounded | unbounded), probabilities())
def test_quantiles_never_fall(prior, u):
    values = parsed(prior).quantile(np.sort(u))
    assert np.all(np.diff(values) >= -1e-9 * np.abs(values[1:]))


@common
@given(written(bounded), probabilities())
def test_values_lie_between_low_and_high(prior, u):
    values = parsed(prior).quantile(u)
    low, high = next(iter(prior.values()))[-2:]
    slack = 1e-9 * max(abs(low), abs(high))
    assert np.all((low - slack <= values) & (values <= high + slack))


@common
@given(written(bounded))
def test_support_is_from_low_to_high(prior):
    low, high = next(iter(prior.values()))[-2:]
    assert parsed(prior).support() == pytest.approx((low, high), rel=1e-9, abs=1e-9)


@common
@given(written(bounded))
def test_means_lie_between_low_and_high(prior):
    low, high = parsed(prior).support()
    assert low - 1e-6 * abs(low) <= parsed(prior).mean() <= high + 1e-6 * abs(high)


@common
@given(written(unbounded))
def test_unbounded_priors_say_so(prior):
    low, high = parsed(prior).support()
    assert high == np.inf
    assert low == (0 if "poisson" in prior else -np.inf)


@common
@given(written(bounded | unbounded) | number)
def test_round_trip_through_plain_data(prior):
    holder = Holder(prior=prior)
    assert Holder.model_validate(holder.plain()) == holder
    assert holder.plain() == {"prior": prior}


@common
@given(number, probabilities())
def test_a_number_is_always_itself(value, u):
    assert np.all(parsed(value).quantile(u) == value)
    assert parsed(value).support() == (value, value)


@common
@given(written(bounded | unbounded))
def test_quantiles_keep_the_shape(prior):
    assert parsed(prior).quantile(np.full((2, 3), 0.5)).shape == (2, 3)
    assert parsed(prior).quantile(np.array(0.5)).shape == ()


@pytest.mark.parametrize("exponent", [-2.5, -1.9, -1 - 1e-6, -1, -1 + 1e-6, -0.9, 0, 1])
def test_powerlaw_inverts_its_distribution_function(exponent):
    low, high = 2.0, 500.0

    def mass(upper):  # in log x, where the integrand is tame
        return integrate.quad(lambda t: np.exp((exponent + 1) * t), np.log(low), np.log(upper), epsabs=0)[0]

    u = np.linspace(0.01, 0.99, 15)
    values = parsed({"powerlaw": [exponent, low, high]}).quantile(u)
    np.testing.assert_allclose([mass(value) / mass(high) for value in values], u, rtol=1e-8)


@common
@given(positive, ratio, probabilities())
def test_powerlaw_of_exponent_minus_one_is_loguniform(low, ratio, u):
    powerlaw = parsed({"powerlaw": [-1, low, low * ratio]}).quantile(u)
    np.testing.assert_allclose(powerlaw, parsed({"loguniform": [low, low * ratio]}).quantile(u), rtol=1e-12)


@common
@given(positive, ratio, probabilities())
def test_powerlaw_of_exponent_zero_is_uniform(low, ratio, u):
    powerlaw = parsed({"powerlaw": [0, low, low * ratio]}).quantile(u)
    np.testing.assert_allclose(powerlaw, parsed({"uniform": [low, low * ratio]}).quantile(u), rtol=1e-9)


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_steep_powerlaw_ends_at_high():
    assert parsed({"powerlaw": [-4, 1, 1e6]}).support() == pytest.approx((1, 1e6))


def test_normal_equals_scipy():
    u = np.random.default_rng(0).random(1000)
    np.testing.assert_allclose(parsed({"normal": [2, 3]}).quantile(u), stats.norm.ppf(u, 2, 3), atol=1e-10)


@pytest.mark.parametrize("mean", [0.01, 0.5, 3, 25, 400])
def test_poisson_equals_scipy(mean):
    u = np.random.default_rng(1).random(20_000)
    np.testing.assert_array_equal(parsed({"poisson": [mean]}).quantile(u), stats.poisson.ppf(u, mean))


@pytest.mark.parametrize("mean", [0.01, 0.5, 3, 25, 400])
def test_poisson_in_the_tails(mean):
    u = np.array([1e-12, 1e-6, 1 - 1e-6, 1 - 1e-12])
    np.testing.assert_array_equal(parsed({"poisson": [mean]}).quantile(u), stats.poisson.ppf(u, mean))


@pytest.mark.parametrize(
    ("mean", "sd", "low", "high"),
    [(0.78, 0.12, 0.5, 1), (0, 0.005, 0, 0.05), (0, 1, -1, 1), (4, 0.8, 2, 6), (1, 0.02, 0.9, 1.1), (-3, 2, 0, 5)],
)
def test_truncnorm_equals_scipy(mean, sd, low, high):
    u = np.random.default_rng(2).random(1000)
    expected = stats.truncnorm.ppf(u, (low - mean) / sd, (high - mean) / sd, mean, sd)
    prior = parsed({"truncnorm": [mean, sd, low, high]})
    np.testing.assert_allclose(prior.quantile(u), expected, atol=1e-9 * sd, rtol=1e-7)
    assert prior.support() == pytest.approx((low, high), rel=1e-9)


def test_integers_are_equally_frequent():
    values = parsed({"integers": [-1, 3]}).quantile(np.random.default_rng(3).random(50_000))
    found, counts = np.unique(values, return_counts=True)
    np.testing.assert_array_equal(found, [-1, 0, 1, 2, 3])
    assert stats.chisquare(counts).pvalue > 1e-3


def test_integers_end_at_the_last():
    u = np.array([0.0, 0.2 - 1e-12, 0.2, 1 - 2**-53, 1.0])
    np.testing.assert_array_equal(parsed({"integers": [0, 4]}).quantile(u), [0, 0, 1, 4, 4])
    assert parsed({"integers": [2, 2]}).support() == (2, 2)


def power_mean(exponent, low, high):
    def moment(k):
        return integrate.quad(lambda t: np.exp((exponent + 1 + k) * t), np.log(low), np.log(high), epsabs=0)[0]

    return moment(1) / moment(0)


@pytest.mark.parametrize(
    ("prior", "mean"),
    [
        (3.5, 3.5),
        (0, 0),
        ({"uniform": [-1, 4]}, 1.5),
        ({"normal": [2, 3]}, 2),
        ({"normal": [0, 1]}, 0),
        ({"loguniform": [1e-24, 1e-22]}, 99e-24 / np.log(100)),
        ({"loguniform": [1, 1e4]}, 9999 / np.log(1e4)),
        ({"powerlaw": [-1.9, 1e6, 1e10]}, power_mean(-1.9, 1e6, 1e10)),
        ({"powerlaw": [-1.9, 1e8, 1e10]}, power_mean(-1.9, 1e8, 1e10)),
        ({"powerlaw": [-0.9, 1e6, 1e10]}, power_mean(-0.9, 1e6, 1e10)),
        ({"powerlaw": [1, 1e-6, 0.3949]}, power_mean(1, 1e-6, 0.3949)),
        ({"poisson": [0.3]}, 0.3),
        ({"poisson": [25]}, 25),
        ({"integers": [0, 4]}, 2),
        ({"integers": [-3, 2]}, -0.5),
        ({"truncnorm": [0.78, 0.12, 0.5, 1]}, stats.truncnorm.mean(-0.28 / 0.12, 0.22 / 0.12, 0.78, 0.12)),
        ({"truncnorm": [0, 0.01, 0, 0.05]}, stats.truncnorm.mean(0, 5, 0, 0.01)),
    ],
    ids=str,
)
def test_the_mean_is_that_of_the_distribution(prior, mean):
    steps = isinstance(prior, dict) and not prior.keys().isdisjoint({"poisson", "integers"})
    assert parsed(prior).mean() == pytest.approx(mean, rel=2e-3 if steps else 1e-5, abs=2e-3 if steps else 1e-9)


def test_a_steep_power_law_has_most_of_its_mass_in_few_heavy_subhalos():
    """The top of the four decades dominates the mean: the quantile function rises a thousandfold in the last 1e-3."""
    mean = parsed({"powerlaw": [-1.9, 1e6, 1e10]}).mean()
    assert mean == pytest.approx(9 * 1e6 * (1e4**0.1 - 1) / (1 - 1e4**-0.9), rel=1e-6)


def test_poisson_numbers_may_have_a_mean_each():
    u, mean = np.random.default_rng(4).random((2, 1000))
    np.testing.assert_array_equal(poisson(u, 50 * mean), stats.poisson.ppf(u, 50 * mean))


@pytest.mark.parametrize(("number", "slots"), [({"integers": [0, 4]}, 4), (3, 3), (2.7, 3), ({"uniform": [0, 2]}, 2)])
def test_slots_are_as_many_as_a_number_may_be(number, slots):
    assert max_count(parsed(number)) == slots


def test_slots_of_poisson_numbers_are_short_in_one_of_a_million():
    assert max_count(parsed({"poisson": [25]})) == stats.poisson.ppf(1 - 1e-6, 25)


KINDS = "fixed, uniform, normal, truncnorm, loguniform, powerlaw, poisson, integers"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("half", f"write a number or one of {{{KINDS}"),
        (None, "write a number or one of"),
        (True, "write a number or one of"),
        ([0, 1], "write a number or one of"),
        ({}, f"exactly one of {KINDS}"),
        ({"unifrom": [0, 1]}, f"exactly one of {KINDS}"),
        ({"uniform": [0, 1], "normal": [0, 1]}, f"exactly one of {KINDS}"),
        ({"uniform": [1]}, "uniform takes [low, high], got [1]"),
        ({"uniform": 1}, "uniform takes [low, high], got 1"),
        ({"powerlaw": [1, 2]}, "powerlaw takes [exponent, low, high]"),
        ({"uniform": ["a", 2]}, "uniform takes finite numbers [low, high]"),
        ({"normal": [0, float("inf")]}, "normal takes finite numbers [mean, sd]"),
        (float("nan"), "fixed takes finite numbers [value]"),
        ({"uniform": [2, 1]}, "uniform needs low < high, got [2, 1]"),
        ({"uniform": [1, 1]}, "uniform needs low < high"),
        ({"loguniform": [0, 1]}, "loguniform needs low > 0"),
        ({"powerlaw": [-1, 0, 1]}, "powerlaw needs low > 0"),
        ({"normal": [0, 0]}, "normal needs a positive sd"),
        ({"poisson": [0]}, "poisson needs a positive mean"),
        ({"truncnorm": [0, 1, 2]}, "truncnorm takes [mean, sd, low, high], got [0, 1, 2]"),
        ({"truncnorm": [0, 1, 2, 1]}, "truncnorm needs low < high, got [0, 1, 2, 1]"),
        ({"truncnorm": [0, 0, 0, 1]}, "truncnorm needs a positive sd"),
        ({"truncnorm": [0, 1, 50, 51]}, "truncnorm has almost no probability between low and high"),
        ({"integers": [0.5, 4]}, "integers takes whole numbers with first <= last, got [0.5, 4]"),
        ({"integers": [4, 0]}, "integers takes whole numbers with first <= last, got [4, 0]"),
        ({"integers": [4]}, "integers takes [first, last], got [4]"),
    ],
)
def test_a_rejected_prior_is_told_what_is_allowed(value, words):
    with pytest.raises(ValidationError) as caught:
        parsed(value)
    assert words in str(caught.value)


@pytest.mark.parametrize("value", [-1, 11, {"uniform": [-1, 5]}, {"uniform": [5, 11]}, {"normal": [5, 1e-3]}])
def test_a_prior_outside_its_bounds_is_told_them(value):
    with pytest.raises(ValidationError) as caught:
        Bounded(prior=value)
    assert "allowed is [0, 10]" in str(caught.value)


@pytest.mark.parametrize("value", [0, 10, {"uniform": [0, 10]}, {"powerlaw": [-0.9, 1, 10]}])
def test_the_bounds_themselves_are_allowed(value):
    assert Bounded(prior=value).plain() == {"prior": value}


def test_numbers_that_yaml_reads_as_text_are_numbers():
    assert parsed({"powerlaw": ["-0.9", "1e6", "1.0e10"]}) == parsed({"powerlaw": [-0.9, 1e6, 1e10]})
    assert parsed("1e12") == parsed(1e12)


def test_truth_values_are_no_numbers():
    with pytest.raises(ValueError, match="finite numbers"):
        parsed({"uniform": [False, True]})
