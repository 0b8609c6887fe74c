"""The Boltzmann machine against sums over all its states, closed forms and a mixture of which all is known."""

import itertools
import math

import numpy as np
import pytest
import torch

from oddlens.detectors.blocks.boltzmann_machine import BoltzmannMachine
from oddlens.detectors.interface.image_module import KnownCamera
from oddlens.detectors.rbm import RBM
from oddlens.training.objectives import Batch


def machine(visible=3, hidden=5, scale=0.7, gaussian=True, rectified=False, learned=True):
    torch.manual_seed(0)
    made = BoltzmannMachine(
        visible, hidden, scale, gaussian=gaussian, rectified=rectified, learned=gaussian and learned
    )
    if made.log_precision is not None:
        made.log_precision.data = torch.tensor([-1.0, 0.0, 0.5])[:visible]
    return made.double().requires_grad_(False)


def states(hidden):
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=hidden)), dtype=torch.float64)


def energy(m, v, h):
    """By its definition; v [n, visible], h [m, hidden] to [n, m]."""
    own = 0.5 * (m.precision * (v - m.b).square()).sum(1) if m.gaussian else -v @ m.b
    return own[:, None] - h @ m.c - v @ m.weight @ h.T


@pytest.mark.parametrize("gaussian", [True, False])
def test_free_energy_is_minus_the_logarithm_of_the_sum_over_hidden_states(gaussian):
    m = machine(gaussian=gaussian)
    v = torch.randn(20, 3, dtype=torch.float64) if gaussian else states(3)
    expected = -torch.logsumexp(-energy(m, v, states(5)), dim=1)
    torch.testing.assert_close(m(v), expected)


def test_free_energy_of_rectified_units_is_the_lowest_over_hidden_states():
    m = machine(hidden=2, rectified=True)
    v = torch.randn(20, 3, dtype=torch.float64)
    h = torch.cartesian_prod(*[torch.linspace(0, 10, 1001, dtype=torch.float64)] * 2)
    lowest = (energy(m, v, h) + 0.5 * h.square().sum(1)).min(dim=1).values
    torch.testing.assert_close(m(v), lowest, atol=1e-4, rtol=0)


@pytest.mark.parametrize("rectified", [True, False])
def test_a_reconstruction_is_a_step_down_the_free_energy(rectified):
    m = machine(rectified=rectified)
    v = torch.randn(20, 3, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(m(v).sum(), v)
    torch.testing.assert_close(m.reconstruct(v).detach(), (v - slope).detach())


def test_with_unit_precision_it_is_the_mean_field_reconstruction():
    m = machine(learned=False)
    v = torch.randn(20, 3, dtype=torch.float64)
    torch.testing.assert_close(m.reconstruct(v), m.b + (v @ m.weight + m.c).sigmoid() @ m.weight.T)


@pytest.mark.parametrize("gaussian", [True, False])
def test_gibbs_steps_leave_the_distribution_as_it_is(gaussian):
    """Samples of the exact distribution, drawn by enumeration, have the same moments some steps later."""
    m = machine(gaussian=gaussian)
    generator = torch.Generator().manual_seed(1)
    h = states(5)
    if gaussian:  # p(h) by completing the square, then v | h
        pull = h @ m.weight.T
        logs = h @ m.c + pull @ m.b + 0.5 * (pull.square() / m.precision).sum(1)
        chosen = torch.multinomial(logs.softmax(0), 40_000, replacement=True, generator=generator)
        noise = torch.randn(40_000, 3, dtype=torch.float64, generator=generator)
        v = m.b + pull[chosen] / m.precision + noise / m.precision.sqrt()
    else:
        v = states(3)[torch.multinomial((-m(states(3))).softmax(0), 40_000, replacement=True, generator=generator)]
    later = v
    for _ in range(3):
        later = m.gibbs_step(later, generator)
    tolerance = 6 * v.std(0) * math.sqrt(2 / len(v))
    assert ((later.mean(0) - v.mean(0)).abs() < tolerance).all()
    torch.testing.assert_close(later.T.cov(), v.T.cov(), atol=0.15, rtol=0.1)


def rbm(pixels=2, **settings):
    return RBM.build(pixels, seed=0, **settings)


def test_contrastive_divergence_lowers_the_energy_of_data_and_lifts_that_of_samples():
    binary = {"visible": "bernoulli", "loss": "contrastive_divergence", "units": "binary"}
    model = rbm(**binary, expectation=False, score="error", hidden=8, initial_scale=0.1)
    images = torch.tensor([1.0, 0.0, 1.0, 0.0]).view(1, 1, 2, 2).expand(500, 1, 2, 2)
    batch = Batch(images, None, torch.Generator().manual_seed(0), 0.0)
    (slope,) = torch.autograd.grad(model._loss(batch).mean(), model.machine.b)
    assert (slope * torch.tensor([1, -1, 1, -1]) < -0.3).all()  # descent lifts the bias of pixels that are always lit


def train_on(v, loss, steps=1500, **settings):
    """Train the machine alone, on visible vectors [n, 4]; principal components are the identity."""
    model = rbm(components=4, hidden=16, units="binary", matched=False, stabilised=False, **settings, loss=loss)
    model.principal.axes.copy_(torch.eye(4))
    model.gain.fill_(0)  # so that noise has the variance 1
    optimiser = torch.optim.Adam(model.machine.parameters(), lr=0.02)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        chosen = torch.randint(len(v), (200,), generator=generator)
        batch = Batch(v[chosen].view(-1, 1, 2, 2), None, generator, step / steps)
        optimiser.zero_grad()
        model._loss(batch).mean().backward()
        optimiser.step()
    return model.machine.requires_grad_(False)


@pytest.mark.parametrize(("loss", "tolerance"), [("score_matching", 0.2), ("contrastive_divergence", 0.5)])
def test_it_learns_a_mixture_of_two(loss, tolerance):
    """Free energies on the line through both centres are those of the true density; CD is the rougher."""
    centre = torch.tensor([1.5, -1.0, 0.0, 1.0])
    generator = torch.Generator().manual_seed(3)
    sign = torch.randint(0, 2, (4000, 1), generator=generator) * 2.0 - 1
    spread = 1.0 if loss == "contrastive_divergence" else 0.0  # which adds noise of its own
    v = sign * centre + spread * torch.randn(4000, 4, generator=generator)
    learned = train_on(v, loss, precision="unit", first_noise=1.0, last_noise=1.0, initial_scale=0.1)
    line = torch.linspace(-1, 1, 9)[:, None] * centre
    truth = -torch.logsumexp(torch.stack([-0.5 * (line - s * centre).square().sum(1) for s in (1, -1)]), 0)
    found = learned(line)
    torch.testing.assert_close(found - found.mean(), truth - truth.mean(), atol=tolerance, rtol=0)
    assert learned(torch.tensor([[1.5, 1.5, 0.0, -1.0]])) > found.max()


def noisy(expected, camera, rng):
    variance = camera.gain * expected + camera.background
    return (expected + rng.normal(size=expected.shape) * np.sqrt(variance)).astype(np.float32)


def test_normalised_images_have_noise_of_one_and_reconstructions_are_images():
    camera = KnownCamera(1e-3, 4e-5, 0.0)
    rng = np.random.default_rng(0)
    expected = np.broadcast_to(np.linspace(0.05, 1, 16 * 16).reshape(16, 16), (400, 16, 16))
    images = noisy(expected, camera, rng)
    model = RBM.build(16, seed=0, components=20, hidden=8)
    model.fit(images, seed=0, camera=camera, training={"epochs": 0})
    normalised = model._normalise(torch.from_numpy(images)[:, None] / model.scale)
    np.testing.assert_allclose(normalised.std(0).numpy(), 1, atol=0.2)
    model._reconstruct = lambda normalised: normalised  # the inverse alone
    np.testing.assert_allclose(model.reconstructions(images), images, atol=2e-3)


def test_smoothing_keeps_the_light_and_takes_the_noise():
    model = RBM.build(32, seed=0, components=20, hidden=8)
    model.blur.fill_(2.0)
    light = torch.zeros(1, 1, 32, 32)
    light[..., 16, 16] = 1e-6
    ratio = model._normalise(light).sum() / (light / model.background.sqrt()).sum()
    assert ratio == pytest.approx(1, abs=1e-3)
    flat = 1e-3 * torch.randn(200, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    assert model._normalise(flat)[..., 10:22, 10:22].std() == pytest.approx(
        1e-3 / (2 * math.sqrt(math.pi) * 2), rel=0.05
    )


@pytest.mark.parametrize("score", ["descent", "error", "energy"])
def test_a_symmetric_score_is_that_of_the_image_turned(score):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(300, 12, 12)).astype(np.float32)
    model = RBM.build(12, seed=0, components=144, hidden=32, score=score)
    model.fit(images, seed=0, training={"epochs": 2, "batch_size": 32})
    turned = np.ascontiguousarray(np.rot90(images[:, ::-1], axes=(1, 2)))
    np.testing.assert_allclose(model.score(turned), model.score(images), rtol=1e-4, atol=1e-4)


def test_bernoulli_pixels_have_no_score_to_match():
    with pytest.raises(ValueError, match=r"score_matching .* visible: gaussian"):
        rbm(visible="bernoulli")
    with pytest.raises(ValueError, match="expectation: true is implemented for visible: gaussian"):
        rbm(visible="bernoulli", loss="contrastive_divergence")
