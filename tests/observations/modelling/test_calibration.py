"""False-alarm probabilities and detection curves of twins whose distribution is known."""

import numpy as np
import pandas as pd
import pytest

from oddlens.observations.modelling.calibration import (
    STATISTIC,
    detected,
    detection,
    false_alarm_probability,
    predicted_significance,
    threshold,
)
from oddlens.observations.modelling.mass_scan import MassScan


def twins(values):
    return pd.DataFrame({STATISTIC: values})


def test_a_lens_like_its_twins_has_a_uniform_probability():
    rng = np.random.default_rng(1)
    found = [false_alarm_probability(rng.normal(), twins(rng.normal(size=19))) for _ in range(4000)]
    ranks = np.bincount(np.round(np.array(found) * 20).astype(int), minlength=21)[1:]
    assert ranks.sum() == 4000
    assert np.abs(ranks / 200 - 1).max() < 0.3


def test_a_probability_is_never_smaller_than_the_twins_allow():
    assert false_alarm_probability(100.0, twins([0.0] * 99)) == pytest.approx(0.01)


def test_a_twin_without_a_fit_is_no_evidence():
    assert false_alarm_probability(-50.0, twins([np.nan, np.nan, 1.0])) == pytest.approx(0.5)


def test_the_threshold_is_exceeded_by_the_rate():
    values = np.random.default_rng(2).normal(size=1000)
    assert (values > threshold(twins(values), 0.05)).mean() == pytest.approx(0.05, abs=1e-9)
    assert threshold(twins(values), 1e-6) == values.max()


def scan(sigma):
    along = np.linspace(-1, 1, 21)
    zero = np.zeros((21, 21))
    return MassScan(along, zero, zero, np.full((21, 21), sigma))


def test_the_significance_is_that_of_the_scan_at_the_place():
    area_sigma = np.full((21, 21), 0.01)
    area_sigma[0] = 0.1  # the top row: y = 1
    found = predicted_significance(
        MassScan(np.linspace(-1, 1, 21), area_sigma, area_sigma, area_sigma),
        pd.DataFrame({"true_area": 0.1, "true_y": [1.0, -1.0, 0.0, 2.0], "true_x": [0.0, 0.3, -0.5, 0.0]}),
    )
    np.testing.assert_allclose(found, [1, 10, 10, np.nan])


def test_a_mass_that_is_found_elsewhere_was_not_detected():
    lines = pd.DataFrame({STATISTIC: [5.0, 5.0, 1.0, np.nan], "y": [0.0, 0.5, 0, np.nan], "x": [0.1, 0, 0, np.nan]})
    lines = lines.assign(true_y=0.0, true_x=0.0)
    assert detected(lines, 2.0).tolist() == [True, False, False, False]


def test_the_detection_curve_is_that_of_the_masses():
    rng = np.random.default_rng(3)
    significance = np.exp(rng.uniform(np.log(1), np.log(50), 3000))
    probability = 1 / (1 + (7 / significance) ** 4)
    curve = detection(significance, rng.random(3000) < probability)
    assert curve.half == pytest.approx(7, rel=0.07)
    assert curve.most == pytest.approx(7 * 9**0.25, rel=0.1)


def test_too_few_detections_give_no_curve():
    assert detection(np.linspace(1, 10, 20), np.arange(20) > 17) is None
