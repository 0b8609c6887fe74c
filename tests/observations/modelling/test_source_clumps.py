"""The prior of a source with clumps, and their discovery, against normal distributions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from oddlens.observations.modelling.source_clumps import Clump, find_clumps
from oddlens.observations.modelling.source_grid import SourceGrid
from oddlens.observations.modelling.source_prior import SourcePrior

GRID = SourceGrid(6, -0.5, -0.5, 0.2)
CLUMPY = SourcePrior(GRID, 2.0, (Clump(8, 3.0), Clump(21, 0.5), Clump(22, 7.0)))
SMOOTH = replace(CLUMPY, clumps=())
WIDTHS = torch.linspace(0.05, 1, GRID.nodes, dtype=torch.float64)


def covariance_of(prior):
    own = np.linalg.inv(replace(prior, clumps=()).matrix.numpy())
    for node, variance in prior.clumps:
        own[node, node] += variance
    return own


@pytest.mark.parametrize("widths", [None, WIDTHS])
def test_a_clump_adds_to_the_variance_of_its_node_alone(widths):
    clumpy, smooth = replace(CLUMPY, widths=widths), replace(SMOOTH, widths=widths)
    np.testing.assert_allclose(np.linalg.inv(clumpy.matrix.numpy()), covariance_of(clumpy), atol=1e-9)
    assert clumpy.log_det == pytest.approx(np.linalg.slogdet(clumpy.matrix.numpy()).logabsdet)
    source = torch.tensor(np.random.default_rng(1).standard_normal(GRID.nodes))
    assert float(clumpy.penalty(source)) == pytest.approx(float(source @ clumpy.matrix @ source))
    assert float(smooth.penalty(source)) == pytest.approx(float(source @ smooth.matrix @ source))


def test_the_curvature_of_a_node_varies_with_its_width():
    prior = replace(SMOOTH, widths=WIDTHS)
    curvature = GRID.curvature.numpy()
    of_curvature = curvature @ np.linalg.inv(prior.matrix.numpy()) @ curvature.T
    np.testing.assert_allclose(of_curvature, np.diag(WIDTHS.numpy() ** 2 / prior.strength), atol=1e-9)


def test_widths_follow_the_brightness_of_a_source_down_to_a_floor():
    light = torch.full((6, 6), -3.0, dtype=torch.float64)
    light[:2, :2] = 8.0
    widths = SMOOTH.following(light.flatten(), 0.01).widths.view(6, 6)
    assert float(widths[0, 0]) == float(widths.max()) == pytest.approx(1)
    assert float(widths[5, 5]) == float(widths.min()) == pytest.approx(0.01 / 1.01)
    assert SMOOTH.following(-light.clamp(min=0).flatten(), 0.01) == SMOOTH


@pytest.fixture(scope="module")
def linear():
    """A random linear model of 60 pixels, and data of a source with one clump."""
    generator = np.random.default_rng(2)
    columns = generator.standard_normal((60, GRID.nodes))
    source = generator.multivariate_normal(np.zeros(GRID.nodes), covariance_of(SMOOTH))
    source[8] += 6.0
    return columns, columns @ source + generator.standard_normal(60)


def log_evidence(columns, data, prior):
    covariance = np.eye(len(columns)) + columns @ covariance_of(prior) @ columns.T
    return stats.multivariate_normal(cov=covariance).logpdf(data)


@pytest.mark.parametrize("widths", [None, WIDTHS])
def test_the_strength_with_most_evidence_beside_clumps_is_approached(linear, widths):
    columns, data = linear
    prior = replace(SMOOTH, clumps=(Clump(8, 30.0),), strength=0.2, widths=widths)
    for _ in range(60):
        covariance = np.linalg.inv(columns.T @ columns + prior.matrix.numpy())
        prior = prior.adapted(torch.tensor(covariance @ columns.T @ data), torch.tensor(covariance))
    around = [
        log_evidence(columns, data, replace(prior, strength=prior.strength * factor)) for factor in (0.8, 1, 1.25)
    ]
    assert max(around) == around[1]


def test_clumps_are_found_with_the_variance_that_has_most_evidence(linear):
    columns, data = linear
    covariance = np.linalg.inv(np.eye(60) + columns @ covariance_of(SMOOTH) @ columns.T)
    overlap, power = columns.T @ covariance @ data, columns.T @ covariance @ columns
    clumps = find_clumps(torch.tensor(overlap), torch.tensor(power))
    assert clumps[0].node == 8
    scaled = [replace(SMOOTH, clumps=(clumps[0]._replace(variance=clumps[0].variance * f),)) for f in (0.5, 1, 2)]
    evidence = [log_evidence(columns, data, prior) for prior in scaled]
    assert max(evidence) == evidence[1]
    square = overlap[8] ** 2 / power[8, 8]
    gain = evidence[1] - log_evidence(columns, data, SMOOTH)
    assert gain == pytest.approx((square - 1 - np.log(square)) / 2, abs=1e-6)


def test_a_second_clump_is_tested_beside_the_first(linear):
    columns, data = linear
    data = data + 5 * columns[:, 22]
    covariance = np.linalg.inv(np.eye(60) + columns @ covariance_of(SMOOTH) @ columns.T)
    clumps = find_clumps(torch.tensor(columns.T @ covariance @ data), torch.tensor(columns.T @ covariance @ columns))
    assert {clump.node for clump in clumps} == {8, 22}
    first = replace(SMOOTH, clumps=clumps[:1])
    covariance = np.linalg.inv(np.eye(60) + columns @ covariance_of(first) @ columns.T)
    node = clumps[1].node
    overlap, power = columns[:, node] @ covariance @ data, columns[:, node] @ covariance @ columns[:, node]
    assert clumps[1].variance == pytest.approx((overlap**2 - power) / power**2)


def test_smooth_sources_have_no_clumps():
    generator, found = np.random.default_rng(3), 0
    for _ in range(50):
        columns = generator.standard_normal((60, GRID.nodes))
        data = columns @ generator.multivariate_normal(np.zeros(GRID.nodes), covariance_of(SMOOTH))
        data += generator.standard_normal(60)
        covariance = np.linalg.inv(np.eye(60) + columns @ covariance_of(SMOOTH) @ columns.T)
        parts = columns.T @ covariance @ data, columns.T @ covariance @ columns
        found += len(find_clumps(*map(torch.tensor, parts)))
    assert found <= 2
