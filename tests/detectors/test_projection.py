"""Templates without what a fit absorbs of them, against matrices of the whole image."""

import pytest
import torch

from oddlens.detectors.blocks.projection import Projection

PIXELS, PARAMETERS = 40, 6


@pytest.fixture(scope="module")
def problem():
    """Data, Jacobian and precision of the prior of one linear fit, and some templates, in double precision."""
    generator = torch.Generator().manual_seed(3)
    data, jacobian, templates, others = (
        torch.randn(1, rows, PIXELS, generator=generator, dtype=torch.double) for rows in (1, PARAMETERS, 5, 4)
    )
    return data[:, 0], jacobian, torch.full((PARAMETERS,), 0.7).double(), templates, others


def project(data, jacobian, precision, templates):
    """The projection of templates for the optimum of a linear fit."""
    factor = torch.linalg.cholesky(jacobian @ jacobian.mT + torch.diag(precision))
    optimum = torch.cholesky_solve(jacobian @ data[..., None], factor)
    return Projection.of(templates, data - (jacobian.mT @ optimum)[..., 0], jacobian, factor)


def test_a_projection_is_that_of_the_marginal_covariance(problem):
    data, jacobian, precision, templates, _ = problem
    found = project(data, jacobian, precision, templates)
    covariance = torch.eye(PIXELS) + jacobian[0].T @ torch.diag(1 / precision) @ jacobian[0]
    inverse = torch.linalg.inv(covariance)
    torch.testing.assert_close(found.overlap[0], templates[0] @ inverse @ data[0])
    torch.testing.assert_close(found.power[0], (templates[0] @ inverse @ templates[0].T).diagonal())


@pytest.mark.parametrize("which", range(4))
def test_a_template_beside_another_is_that_of_a_model_with_both(problem, which):
    data, jacobian, precision, templates, others = problem
    one = project(data, jacobian, precision, others).at(torch.tensor([which]))
    products = (templates @ others[:, [which]].mT)[..., 0]
    found = project(data, jacobian, precision, templates).beside(one, products)
    wider = torch.cat([jacobian, others[:, [which]]], dim=1)
    exact = project(data, wider, torch.cat([precision, torch.ones(1)]), templates)
    torch.testing.assert_close(found.overlap, exact.overlap)
    torch.testing.assert_close(found.power, exact.power)
