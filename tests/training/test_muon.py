"""Our Muon is PyTorch's, but for the precision in which it orthogonalises."""

import pytest
import torch

from oddlens.training.muon import Muon, orthogonalised

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def problem(seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(64, 96), (96, 64), (64, 96)]
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def descended(kind, steps=5, **given):
    parameters = problem()
    optimiser = kind(parameters, lr=0.02, weight_decay=0.1, ns_steps=4, **given)
    for step in range(steps):
        for k, parameter in enumerate(parameters):
            parameter.grad = torch.cos(parameter.detach() * (1 + k + step))
        optimiser.step()
    return [p.detach() for p in parameters], optimiser


@pytest.mark.parametrize(("precision", "close"), [(torch.bfloat16, 2e-3), (torch.float32, 5e-3)])
def test_steps_are_those_of_pytorch(precision, close):
    ours, theirs = descended(Muon, precision=precision)[0], descended(torch.optim.Muon)[0]
    for mine, reference, start in zip(ours, theirs, problem(), strict=True):
        assert (mine - reference).norm() < close * 5 * (reference - start.detach()).norm()


def test_its_state_can_be_saved_and_taken_up_again():
    parameters, optimiser = descended(Muon)
    other = Muon(problem(1), ns_steps=4)
    other.load_state_dict(optimiser.state_dict())
    assert other.state_dict()["param_groups"][0]["lr"] == 0.02
    momenta = [state["momentum_buffer"] for state in other.state_dict()["state"].values()]
    assert [m.shape for m in momenta] == [p.shape for p in parameters]
    assert all(m.abs().sum() > 0 for m in momenta)


@pytest.mark.parametrize("shape", [(32, 80), (80, 32), (48, 48)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    matrices = torch.randn((3, *shape), generator=torch.Generator().manual_seed(1))
    found = orthogonalised(matrices, COEFFICIENTS, 5, 1e-7)
    for matrix, step in zip(matrices, found, strict=True):
        u, s, v = torch.linalg.svd(matrix, full_matrices=False)
        values = torch.diagonal(u.T @ step @ v.T)
        assert torch.allclose(u @ torch.diag(values) @ v, step, atol=1e-4)  # only the values change
        large = s > 0.1 * s[0]
        assert ((values[large] > 0.4) & (values[large] < 1.4)).all()


def test_a_matrix_without_gradient_stays():
    parameters = problem()
    before = [p.detach().clone() for p in parameters]
    optimiser = Muon(parameters, weight_decay=0.1)
    optimiser.step()
    parameters[0].grad = torch.ones_like(parameters[0])
    optimiser.step()
    assert not torch.equal(parameters[0], before[0])
    assert torch.equal(parameters[1], before[1])
