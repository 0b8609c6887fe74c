"""The pieces that detectors share, against closed forms and other codes."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import ndimage

from oddlens.detectors.blocks.autoencoder import Autoencoder
from oddlens.detectors.blocks.components import PrincipalComponents
from oddlens.detectors.blocks.coordinates import UpToOne
from oddlens.detectors.blocks.expectation import DEGREES_OF_FREEDOM, Expectation
from oddlens.detectors.blocks.networks import published_networks
from oddlens.detectors.blocks.residuals import KERNEL_RADIUS_SIGMA, smoothed, smoothed_noise, squared
from oddlens.detectors.interface import loading
from oddlens.training.images import TrainingImages
from oddlens.training.loop import Trainer, TrainingSettings
from oddlens.training.objectives import Batch
from oddlens.training.schedules import cosine, linear, one_cycle
from oddlens.training.symmetries import N_SYMMETRIES, act, augmented, symmetric_mean, undo


def pictures(count=60, pixels=12, seed=0):
    rng = np.random.default_rng(seed)
    strength = rng.normal(size=(count, 5)) * [9, 5, 3, 2, 1]
    shapes = np.linalg.qr(rng.normal(size=(pixels**2, 5)))[0].T
    noise = rng.normal(0, 0.01, (count, pixels, pixels))
    return (10 + (strength @ shapes).reshape(count, pixels, pixels) + noise).astype(np.float32)


def view(pixels):
    return TrainingImages(pixels, np.arange(len(pixels)), None, "cpu")


def generator():
    return torch.Generator().manual_seed(0)


# --- symmetries -----------------------------------------------------------------------------------------------------


def test_the_eight_symmetries_are_different_and_form_a_group():
    image = torch.arange(9.0).view(1, 1, 3, 3)
    found = {tuple(act(image, k).flatten().tolist()) for k in range(N_SYMMETRIES)}
    assert len(found) == N_SYMMETRIES
    for first in range(N_SYMMETRIES):
        for second in range(N_SYMMETRIES):
            assert tuple(act(act(image, first), second).flatten().tolist()) in found


@given(k=st.integers(0, N_SYMMETRIES - 1), pixels=st.integers(1, 6))
def test_undo_undoes(k, pixels):
    image = torch.randn(2, 1, pixels, pixels, generator=generator())
    assert torch.equal(undo(act(image, k), k), image)
    assert torch.equal(act(undo(image, k), k), image)


def test_a_batch_is_turned_an_eighth_each_way_in_its_order():
    images = torch.arange(9.0).view(1, 1, 3, 3) + 100 * torch.arange(16.0).view(16, 1, 1, 1)
    after = augmented(images)
    assert torch.equal(after.mean(dim=(1, 2, 3)), images.mean(dim=(1, 2, 3)))
    assert len({tuple((image - image.mean()).flatten().tolist()) for image in after}) == N_SYMMETRIES
    assert torch.equal(augmented(images[:3])[:1], images[:1])


def test_the_symmetric_mean_commutes_with_every_symmetry():
    layer = torch.nn.Conv2d(1, 1, 3, padding=1)
    images = torch.randn(4, 1, 8, 8, generator=generator())
    for k in range(N_SYMMETRIES):
        one, other = symmetric_mean(layer, act(images, k)), act(symmetric_mean(layer, images), k)
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


# --- residuals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blur", [0.6, 1.8, 3.1])
def test_smoothing_is_scipys(blur):
    noise = np.random.default_rng(0).normal(size=(3, 1, 25, 25))
    radius = math.floor(KERNEL_RADIUS_SIGMA * blur)
    theirs = ndimage.gaussian_filter(noise, blur, radius=radius, mode="constant", axes=(2, 3))
    np.testing.assert_allclose(smoothed(torch.from_numpy(noise), blur).numpy(), theirs, rtol=1e-9, atol=1e-12)
    kernel = ndimage.gaussian_filter1d(np.eye(1, 101, 50)[0], blur, radius=radius)
    assert smoothed_noise(blur) == pytest.approx(np.sum(kernel**2))
    if blur > 1:
        assert smoothed_noise(blur) == pytest.approx(1 / (2 * math.sqrt(math.pi) * blur), rel=1e-3)


def test_what_only_noise_made_deviates_by_one_and_what_the_camera_saw_by_more():
    noise = torch.randn(2000, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    inside = (slice(None), slice(None), slice(8, 24), slice(8, 24))
    for blur in (0.0, 1.8):
        assert squared(noise, blur)[inside].mean() == pytest.approx(1, abs=0.03)
    spot = torch.zeros(1, 1, 32, 32)
    spot[0, 0, 16, 16] = 1
    seen = smoothed(spot, 1.8) / smoothed_noise(1.8)  # a point under the point-spread function
    plain, matched = (squared(noise + 0.5 * seen, b)[inside].mean() for b in (0.0, 1.8))
    assert matched - 1 > 3 * (plain - 1)


# --- principal components -------------------------------------------------------------------------------------------


def test_components_are_those_of_the_covariance():
    pixels = pictures()
    ours = PrincipalComponents(12, 5)
    ours.learn(view(pixels), generator())
    flat = pixels.reshape(len(pixels), -1).astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(flat.T, bias=True))
    np.testing.assert_allclose(ours.mean, flat.mean(0), atol=1e-5)
    np.testing.assert_allclose(ours.scatter, np.sqrt(values[::-1][:5]), rtol=1e-4)
    overlap = ours.axes.numpy().T @ vectors[:, ::-1][:, :5]
    np.testing.assert_allclose(np.abs(np.diag(overlap)), 1, atol=1e-4)
    coordinates = ours(view(pixels)[slice(0, 60)])
    np.testing.assert_allclose(coordinates.std(dim=0, correction=0), ours.scatter, rtol=1e-4)
    np.testing.assert_allclose(ours.inverse(coordinates)[:, 0], pixels, atol=0.06)


def test_no_more_components_than_pixels_and_equal_seeds_find_equal_ones():
    twice = []
    for _ in range(2):
        ours = PrincipalComponents(4, 100)
        ours.learn(view(pictures(pixels=4)), generator(), symmetric=True)
        twice.append(ours.axes)
    assert twice[0].shape == (16, 16)
    assert torch.equal(*twice)
    torch.testing.assert_close(twice[0].T @ twice[0], torch.eye(16), atol=1e-5, rtol=0)


# --- networks -------------------------------------------------------------------------------------------------------


@given(pixels=st.integers(9, 160), latent=st.integers(1, 9))
@hypothesis_settings(max_examples=25, deadline=None)
def test_the_published_networks_draw_images_of_the_size_they_see(pixels, latent):
    encoder, decoder = published_networks(pixels, latent, 2 * latent)
    images = torch.rand(2, 1, pixels, pixels)
    assert encoder(images).shape == (2, 2 * latent)
    assert decoder(torch.zeros(2, latent)).shape == images.shape


def test_the_published_networks_are_those_of_the_paper_at_its_size():
    encoder, decoder = published_networks(150, 1000, 1000)
    assert sum(p.numel() for p in encoder.parameters()) == 800 + 25120 + 100416 + 5184 * 1000 + 1000
    assert encoder[:6](torch.zeros(1, 1, 150, 150)).shape == (1, 5184)
    assert decoder(torch.zeros(1, 1000)).abs().max() <= 1


def test_the_published_networks_refuse_images_that_are_too_small():
    with pytest.raises(ValueError, match="9 x 9 pixels, not 8 x 8"):
        published_networks(8, 4, 4)


def test_images_for_a_tanh_reach_one():
    pixels = pictures()
    unit = UpToOne()
    unit.learn(view(pixels), generator(), symmetric=False)
    assert unit(torch.from_numpy(pixels)).max() == 1
    torch.testing.assert_close(unit.inverse(unit(torch.from_numpy(pixels))), torch.from_numpy(pixels))


@pytest.mark.parametrize("network", ["components", "convolutional", "published"])
def test_an_autoencoder_encodes_and_decodes(network):
    images = view(pictures(pixels=16))
    ours = Autoencoder.of(network, 16, 3, outputs=6, width=64, depth=1)
    ours.learn(images, generator(), symmetric=True)
    codes = ours.encode(images[slice(0, 7)])
    assert codes.shape == (7, 6)
    assert ours.decode(codes[:, :3]).shape == (7, 1, 16, 16)


# --- learning rates and losses --------------------------------------------------------------------------------------


def test_rates_rise_to_their_peak_and_fall_to_nothing():
    for rate, warm_up in ((cosine(2.0), 0.05), (linear(2.0), 0.05), (one_cycle(2.0), 0.3)):
        values = [rate(p / 1000) for p in range(1000)]
        assert max(values) == pytest.approx(2.0, rel=1e-3)
        assert values.index(max(values)) == pytest.approx(1000 * warm_up, abs=1)
        assert values[0] < 0.1
        assert values[-1] < 3e-3


def test_one_cycle_is_pytorchs():
    parameter = torch.nn.Parameter(torch.zeros(()))
    optimiser = torch.optim.Adam([parameter], lr=2.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2.0, total_steps=1000)
    theirs = []
    for _ in range(1000):
        theirs.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step() if len(theirs) < 1000 else None
    np.testing.assert_allclose([one_cycle(2.0)(p / 1000) for p in range(1000)], theirs, atol=0.015)


def test_the_published_loss_is_the_squared_error_of_images_over_their_peak():
    model = loading.detector("dcae").build(12, latent=3, network="published", stabilised=False)
    model.gain.fill_(0.02)
    model.background.fill_(0.01)
    images = view(pictures())
    inputs = model.training_images(images)
    model.prepare(inputs, generator())
    batch = Batch(inputs[slice(0, 5)], None, generator(), 0.0)
    peak = max(part.max() for part in images.batches())
    rebuilt = model.autoencoder.decode(model.code(batch.images))
    error = (images[slice(0, 5)] - model.unstabilise(rebuilt, False)) / peak
    torch.testing.assert_close(model.reconstruction_loss(batch), error.square().mean(dim=(1, 2, 3)))


def test_the_variational_loss_is_misfit_and_divergence():
    """With a decoder that ignores its code, the loss at the end less that at the start is the divergence alone."""
    model = loading.detector("cvae").build(12, latent=3, width=64, depth=1, kl_weight=2.0, warm_up=0.2, rise=0.5)
    model.prepare(model.training_images(view(pictures())), generator())
    images = model.training_images(view(pictures()))[slice(0, 5)]
    mean, log_variance = model.autoencoder.encode(images).chunk(2, dim=1)
    normal = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    divergence = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0, 1)).sum(dim=1)

    def loss(progress):
        return model._loss(Batch(images, None, generator(), progress))

    for progress, weight in ((0.1, 0), (0.2, 0), (0.45, 1), (0.7, 2), (0.9, 2)):
        torch.testing.assert_close(loss(progress) - loss(0.0), weight * divergence / 144, rtol=1e-3, atol=1e-4)


def test_the_discriminator_and_the_encoder_pull_against_each_other():
    model = loading.detector("aae").build(12, latent=3, width=64, depth=1, prior_scale=5.0)
    model.prepare(model.training_images(view(pictures())), generator())
    batch = Batch(model.training_images(view(pictures()))[slice(0, 40)], None, generator(), 0.0)
    _, discriminate, regularise, _ = model.objectives()
    before = regularise.loss(batch).item()
    optimiser = torch.optim.Adam(model.discriminator.parameters(), lr=1e-3)
    for _ in range(30):
        optimiser.zero_grad()
        discriminate.loss(batch).backward()
        optimiser.step()
    assert discriminate.loss(batch).item() < math.log(2)
    assert regularise.loss(batch).item() > before


def expecting(log_misfit, codes):
    """An expectation that has learned from misfits of codes."""
    torch.manual_seed(0)
    expectation = Expectation(codes.shape[1], width=32, depth=1)
    places = TrainingImages(np.arange(len(codes), dtype=np.float32)[:, None, None], np.arange(len(codes)), None, "cpu")

    def look(batch):
        chosen = batch.images.flatten().long()
        return codes[chosen], log_misfit[chosen].exp()

    objective = expectation.objective(look, learning_rate=cosine(1e-2))
    assert objective.stage == 1
    settings = TrainingSettings(epochs=30, batch_size=100)
    Trainer(expectation, [dataclasses.replace(objective, stage=0)], places, seed=1, settings=settings).run()
    return expectation.requires_grad_(False)


def test_an_expectation_learns_how_misfits_are_distributed():
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(rng.normal(size=(4000, 2)).astype(np.float32))
    middle, scale = codes[:, 0], 0.1 * (1 + codes[:, 1].abs())
    log_misfit = middle + scale * torch.from_numpy(rng.standard_t(DEGREES_OF_FREEDOM, size=4000).astype(np.float32))
    expectation = expecting(log_misfit, codes)
    found, width = expectation(codes)
    assert (found - middle).square().mean().sqrt() < 0.06
    assert (width.log() - scale.log()).square().mean().sqrt() < 0.25
    excess, middle = (expectation.score(name, log_misfit.exp(), [codes, codes]) for name in ("relative", "expected"))
    torch.testing.assert_close(excess, (log_misfit - found) / width)
    torch.testing.assert_close(middle, found)


def test_anomalies_hardly_move_what_is_expected():
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(rng.normal(size=(4000, 2)).astype(np.float32))
    clean = codes[:, 0] + 0.1 * torch.from_numpy(rng.normal(size=4000).astype(np.float32))
    odd = torch.from_numpy((rng.random(4000) < 0.1).astype(np.float32))
    pure, spoiled = (expecting(log_misfit, codes)(codes) for log_misfit in (clean, clean + odd))
    assert (spoiled[0] - pure[0]).abs().mean() < 0.03, "their mean is 0.1 higher"
    assert (spoiled[1] / pure[1]).mean() < 1.5, "their standard deviation is 3.2 times as large"


@pytest.mark.parametrize("detector", ["dcae", "rbm"])
def test_a_score_is_relative_to_nothing_without_an_expectation(detector):
    with pytest.raises(ValueError, match=r"score: relative needs .* expectation: true"):
        loading.detector(detector).build(12, expectation=False)
