"""Bounds of the mutual information against its closed form for Gaussians, and the pieces around them."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis

from oddlens.config import detector_registry
from oddlens.detectors.blocks.information import (
    MIN_DISTANCE,
    Critic,
    Information,
    information_bound,
    moved,
    reference_term,
    repulsion_loss,
    rotated,
)
from oddlens.schema.config_errors import ConfigError, validated
from oddlens.training.symmetries import N_SYMMETRIES, act

CORRELATION = 0.8
TRUE = -0.5 * math.log(1 - CORRELATION**2)
"""I(X; Y) in nats of two normal numbers of that correlation."""


def pairs(count, seed=0):
    rng = torch.Generator().manual_seed(seed)
    x, e = torch.randn(2, count, generator=rng, dtype=torch.float64)
    return x, CORRELATION * x + math.sqrt(1 - CORRELATION**2) * e


def log_ratio(x, y):
    """log p(x, y) / p(x) p(y), [n, m]."""
    x, y, r = x[:, None], y[None, :], CORRELATION
    return TRUE - (r**2 * (x**2 + y**2) - 2 * r * x * y) / (2 * (1 - r**2))


def mean_bound(bound, shift=0.0, batch=200, batches=100):
    scores = (log_ratio(*pairs(batch, seed)) + shift for seed in range(batches))
    return torch.stack([information_bound(s, bound).mean() for s in scores]).mean().item()


def test_with_the_best_critic_infonce_is_nearly_the_information():
    assert mean_bound("infonce") == pytest.approx(TRUE, abs=0.02)
    assert mean_bound("infonce", shift=7.0) == pytest.approx(mean_bound("infonce")), "a constant means nothing to it"


def test_with_the_best_critic_nwj_is_the_information():
    assert mean_bound("nwj", shift=1.0) == pytest.approx(TRUE, abs=0.03)
    assert mean_bound("nwj", shift=2.0) < mean_bound("nwj", shift=1.0)
    assert mean_bound("nwj", shift=0.0) < mean_bound("nwj", shift=1.0)


def test_with_the_best_critic_jsd_is_the_jensen_shannon_divergence():
    """2 (JS - log 2), with JS of the joint and the product density integrated on a grid."""
    grid = torch.linspace(-7, 7, 1401, dtype=torch.float64)
    product = torch.exp(-0.5 * (grid[:, None] ** 2 + grid[None, :] ** 2)) / (2 * math.pi)
    joint = product * log_ratio(grid, grid).exp()
    mean = (joint + product) / 2
    js = 0.5 * ((joint * (joint / mean).log()).sum() + (product * (product / mean).log()).sum()) * 0.01**2
    assert mean_bound("jsd") == pytest.approx(2 * (js.item() - math.log(2)), abs=0.01)
    assert mean_bound("jsd", shift=0.5) < mean_bound("jsd")
    assert mean_bound("jsd", shift=-0.5) < mean_bound("jsd")


@pytest.mark.parametrize("bound", ["infonce", "nwj", "jsd"])
def test_a_worse_critic_never_bounds_higher(bound):
    best = 1.0 if bound == "nwj" else 0.0
    for factor in (0.3, 0.7, 1.3):
        scores = [information_bound(factor * log_ratio(*pairs(200, seed)) + best, bound).mean() for seed in range(50)]
        assert torch.stack(scores).mean().item() < mean_bound(bound, shift=best)


def test_infonce_saturates_at_the_logarithm_of_the_batch():
    certain = 1e3 * torch.eye(16)
    torch.testing.assert_close(information_bound(certain, "infonce"), torch.full((16,), math.log(16)))


@pytest.mark.parametrize("bound", ["nwj", "jsd"])
def test_the_others_are_all_others(bound):
    scores = torch.randn(5, 5)
    others = [[scores[i, j] for j in range(5) if j != i] for i in range(5)]
    what = (lambda s: torch.exp(s - 1)) if bound == "nwj" else torch.nn.functional.softplus
    pair = scores.diagonal() if bound == "nwj" else -torch.nn.functional.softplus(-scores.diagonal())
    expected = pair - torch.stack([what(torch.stack(row)).mean() for row in others])
    torch.testing.assert_close(information_bound(scores, bound), expected)


def test_a_batch_of_one_is_refused():
    with pytest.raises(ValueError, match="batch_size >= 2"):
        information_bound(torch.zeros(1, 1), "infonce")


@pytest.mark.parametrize("kind", ["cosine", "bilinear", "separable", "concat"])
def test_critics_score_each_pair_by_itself(kind):
    torch.manual_seed(0)
    critic, one, other = Critic(kind, 4), torch.randn(5, 4), torch.randn(3, 4)
    scores = critic(one, other)
    assert scores.shape == (5, 3)
    torch.testing.assert_close(scores[2, 1], critic(one[2:3], other[1:2])[0, 0])
    if kind == "cosine":
        torch.testing.assert_close(scores[2, 1], torch.cosine_similarity(one[2], other[1], dim=0))


@pytest.mark.parametrize("kind", ["cosine", "bilinear", "separable", "concat"])
def test_a_critic_learns_what_two_codes_share(kind):
    """Two numbers of a known correlation, and one that is noise; `cosine` sees only directions."""
    torch.manual_seed(0)
    critic = Critic(kind, 3)
    optimiser = torch.optim.Adam(critic.parameters(), 5e-3) if list(critic.parameters()) else None

    def codes(seed):
        (a, b), (c, d), (e, _), (_, f) = (pairs(128, 4 * seed + k) for k in range(4))
        return torch.stack([a, c, e], 1).float(), torch.stack([b, d, f], 1).float()

    bounds = []
    for step in range(300):
        loss = -information_bound(critic(*codes(step)) / 0.5, "infonce").mean()
        bounds.append(-loss.item())
        if optimiser:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    found = sum(bounds[-50:]) / 50
    assert found < 2 * TRUE + 0.05
    assert found > (0.2 if kind == "cosine" else 0.6) * 2 * TRUE


def test_references_are_those_of_normal_and_laplace():
    codes = torch.tensor([[3.0, -4.0]])
    assert reference_term(codes, "normal").item() == 25
    assert reference_term(codes, "laplace").item() == 7


def test_codes_lose_by_the_distance_to_those_of_known_anomalies():
    codes, anomalous = torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    # Squared distances (1 + 4) / 2 and (4 + 13) / 2, absolute ones (1 + 2) / 2 and (2 + 5) / 2; by number of the code.
    torch.testing.assert_close(repulsion_loss(codes, anomalous, "normal", "inverse"), 2 / torch.tensor([2.5, 8.5]))
    torch.testing.assert_close(repulsion_loss(codes, anomalous, "laplace", "inverse"), 2 / torch.tensor([1.5, 3.5]))
    torch.testing.assert_close(repulsion_loss(codes, anomalous, "laplace", "margin"), torch.tensor([0.25, 0.0]))
    assert repulsion_loss(codes, codes[:1], "normal", "inverse")[0].item() == pytest.approx(1 / MIN_DISTANCE), (
        "never infinite"
    )


def test_augmentations_are_symmetries_or_shifts_of_the_image():
    rng = torch.Generator().manual_seed(0)
    images = torch.randn(200, 1, 6, 6)
    turned = moved(images, ["turns", "flips"], rng)
    found = {
        next(k for k in range(N_SYMMETRIES) if torch.equal(act(a, k), b)) for a, b in zip(images, turned, strict=True)
    }
    assert found == set(range(N_SYMMETRIES))
    assert torch.equal(moved(images, [], rng), images)
    shifted = moved(images, ["shifts"], rng)
    assert shifted.shape == images.shape
    by = {
        (i, j)
        for a, b in zip(images[:, 0], shifted[:, 0], strict=True)
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
        if torch.equal(b[1:-1, 1:-1], a.roll((i, j), (0, 1))[1:-1, 1:-1])
    }
    assert len(by) == 9


def at_all_angles(count):
    return 2 * math.pi * torch.arange(count) / count


def gaussian(x, y, pixels=32, sigma=2.0):
    """A Gaussian [1, 1, h, h] centred at x to the right of the middle of the image and y above it."""
    grid = torch.arange(pixels) - (pixels - 1) / 2
    return torch.exp(-((grid[None, :] - x) ** 2 + (-grid[:, None] - y) ** 2) / (2 * sigma**2))[None, None]


@pytest.mark.parametrize("pixels", [7, 8])
@pytest.mark.parametrize("turns", range(4))
def test_a_rotation_by_quarter_turns_moves_pixels(turns, pixels):
    images = torch.randn(3, 1, pixels, pixels, generator=torch.Generator().manual_seed(1))
    found = rotated(images, torch.full((3,), turns * math.pi / 2))
    torch.testing.assert_close(found, torch.rot90(images, turns, (-2, -1)), atol=2e-5, rtol=0)


def test_a_rotated_gaussian_is_the_gaussian_at_the_rotated_place():
    angles = at_all_angles(24)
    found = rotated(gaussian(6.0, 2.0).expand(24, -1, -1, -1), angles)
    for image, angle in zip(found, angles.tolist(), strict=True):
        x, y = (6 * math.cos(angle) - 2 * math.sin(angle), 6 * math.sin(angle) + 2 * math.cos(angle))
        torch.testing.assert_close(image[None], gaussian(x, y), atol=0.02, rtol=0)


def test_rotations_conserve_the_flux_of_a_ring():
    grid = torch.arange(32) - 15.5
    radius = torch.hypot(grid[:, None], grid[None, :])
    ring = torch.exp(-((radius - 7) ** 2) / 4.5)[None, None]
    found = rotated(ring.expand(37, -1, -1, -1), at_all_angles(37))
    assert (found.sum(dim=(1, 2, 3)) / ring.sum() - 1).abs().max() < 0.001
    torch.testing.assert_close(found, ring.expand_as(found), atol=0.03, rtol=0)


def test_rotations_lower_the_variance_of_white_noise_by_a_quarter():
    """The mean over offsets of the sum of the squared weights of bicubic interpolation in two dimensions is 0.735."""
    rng = torch.Generator().manual_seed(0)
    found = moved(torch.randn(2000, 1, 32, 32, generator=rng), ["rotations"], rng)[..., 8:24, 8:24]
    variance = found.var().item()
    assert variance == pytest.approx(0.735, abs=0.015)
    neighbours = (found[..., 1:] * found[..., :-1]).mean().item() / variance
    assert neighbours == pytest.approx(0.17, abs=0.03)


def test_each_image_has_an_angle_of_its_own_which_the_generator_determines():
    def views(*augmentations, seed=0):
        image = gaussian(8.0, 0.0).expand(400, -1, -1, -1)
        return moved(image, list(augmentations), torch.Generator().manual_seed(seed))[:, 0]

    rotations = views("rotations")
    assert torch.equal(rotations, views("rotations"))
    assert not torch.equal(rotations, views("rotations", seed=1))
    grid = torch.arange(32) - 15.5
    flux = rotations.sum(dim=(1, 2))
    x, y = ((rotations * place).sum(dim=(1, 2)) / flux for place in (grid[None, :], -grid[:, None]))
    assert torch.hypot(x, y).sub(8).abs().max() < 0.05
    counts = torch.histc(torch.atan2(y, x), 4, -math.pi, math.pi)
    assert counts.min() > 70
    assert counts.max() < 130


def test_rotations_leave_the_numbers_of_other_augmentations_as_they_are():
    image = torch.randn(50, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    flipped, both = (
        moved(image, augmentations, torch.Generator().manual_seed(0))
        for augmentations in (["flips"], ["flips", "rotations"])
    )
    middle = torch.Generator().manual_seed(0)
    torch.randint(0, 2, (50,), generator=middle)
    torch.testing.assert_close(both, rotated(flipped, 2 * math.pi * torch.rand(50, generator=middle)))


def information(latent, pixels=4, augmentations=()):
    return Information(
        pixels,
        latent,
        critic="cosine",
        temperature=1.0,
        bound="infonce",
        reference="normal",
        beta=1.0,
        augmentations=list(augmentations),
        repulsion="inverse",
    )


def test_views_differ_by_unit_noise_if_they_are_to():
    rng = torch.Generator().manual_seed(0)
    clean, noisy = information(3, 8, ["noise"]).views(torch.zeros(500, 1, 8, 8), rng)
    assert clean.abs().max() == 0
    assert noisy.std().item() == pytest.approx(1, abs=0.02)
    clean, noisy = information(3, 8, ["turns"]).views(torch.zeros(5, 1, 8, 8), rng)
    assert noisy is clean


@pytest.mark.parametrize("detector", ["infonce", "svdd"])
def test_a_negative_beta_is_refused_before_training(detector):
    with pytest.raises(ConfigError, match="beta"):
        validated(detector_registry.detector_settings(detector), {"beta": -1.0}, "detectors.one")


def test_mahalanobis_distances_are_those_of_scipy_and_do_not_depend_on_units():
    rng = np.random.default_rng(3)
    mixing, centre = rng.normal(size=(3, 3)), np.array([1.0, -2.0, 5.0])
    stored, codes = (rng.normal(size=(n, 3)) @ mixing + centre for n in (4000, 20))

    def scores(stored, codes):
        one = information(stored.shape[1])
        one.store(torch.tensor(stored, dtype=torch.float32))
        return one.score("mahalanobis", lambda images: images, [torch.tensor(codes, dtype=torch.float32)]).numpy()

    inverse = np.linalg.inv(np.cov(stored.T))
    expected = [mahalanobis(code, stored.mean(axis=0), inverse) ** 2 for code in codes]
    np.testing.assert_allclose(scores(stored, codes), expected, rtol=1e-3)
    np.testing.assert_allclose(scores(stored * [1, 30, 0.1], codes * [1, 30, 0.1]), expected, rtol=1e-3)
    constant = (np.concatenate([x, np.full((len(x), 1), 2.0)], axis=1) for x in (stored, codes))
    np.testing.assert_allclose(scores(*constant), expected, rtol=1e-3, err_msg="a number that never varies")
