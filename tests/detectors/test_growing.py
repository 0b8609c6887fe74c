"""The growing networks against what Karras et al. 2018 say of them, layer by layer."""

import math

import pytest
import torch
import torch.nn.functional as F

from oddlens.detectors.blocks.growing import (
    EqualisedConv,
    EqualisedLinear,
    GrowingGenerator,
    GrowingTrunk,
    Maps,
    at_level,
    group_deviation,
    growth_phase,
    n_levels,
    pixel_norm,
    upsampled,
)
from oddlens.detectors.interface import loading

SMALL = Maps(64, 8)


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_the_published_networks_have_the_published_numbers_of_parameters():
    """At 64 x 64 pixels of one channel (the code of arXiv:1905.11034, on that of arXiv:1710.10196)."""
    maps = Maps(8192, 512)
    assert count(GrowingGenerator(5, 512, maps)) == 22_485_765
    assert count(GrowingTrunk(5, 1, maps, statistic=True)) == 22_493_441


def test_maps_halve_from_a_level_on():
    maps = Maps(8192, 512)
    assert [maps(k) for k in range(-1, 9)] == [512, 512, 512, 512, 512, 256, 128, 64, 32, 16]


@pytest.mark.parametrize("pixels", [8, 16, 32, 64, 128])
def test_growth_works_at_every_size(pixels):
    number = n_levels(pixels)
    generator, trunk = GrowingGenerator(number, 6, SMALL), GrowingTrunk(number, 3, SMALL, statistic=True)
    assert 4 * 2 ** (number - 1) == pixels
    for level in range(number):
        for alpha in (0.3, 1.0) if level else (1.0,):
            images = generator(torch.randn(8, 6), level, alpha)
            assert images.shape == (8, 1, 4 * 2**level, 4 * 2**level)
            assert trunk(images, level, alpha).shape == (8, 3)
            assert at_level(torch.randn(8, 1, pixels, pixels), level, alpha).shape == images.shape


@pytest.mark.parametrize("pixels", [4, 24, 30, 48, 150])
def test_other_sizes_are_refused_with_the_key_to_change(pixels):
    with pytest.raises(ValueError, match=rf"8, 16, 32, 64, ... pixels, not {pixels}: set camera.pixels"):
        loading.detector("pgan_se").build(pixels, network="growing")


def test_growth_is_stable_then_fades_level_by_level():
    stages = [growth_phase(k / 100, 4, 0.6) for k in range(100)]
    assert stages[:10] == [(0, 1.0)] * 10
    assert stages[10:20] == [(1, pytest.approx(k / 10)) for k in range(10)]
    assert stages[20:30] == [(1, 1.0)] * 10
    assert stages[50:60] == [(3, pytest.approx(k / 10, abs=1e-9)) for k in range(10)]
    assert stages[60:] == [(3, 1.0)] * 40
    assert growth_phase(0.0, 4, 0.0) == (3, 1.0), "without growth all is there from the start"


def test_a_new_level_begins_as_the_one_below():
    generator, trunk = GrowingGenerator(3, 6, SMALL), GrowingTrunk(3, 1, SMALL, statistic=True)
    codes, images = torch.randn(8, 6), torch.randn(8, 1, 16, 16)
    torch.testing.assert_close(generator(codes, 2, 1e-9), upsampled(generator(codes, 1)))
    torch.testing.assert_close(at_level(images, 2, 1e-9), upsampled(F.avg_pool2d(images, 2)))
    torch.testing.assert_close(trunk(images, 2, 1e-9), trunk(F.avg_pool2d(images, 2), 1))
    torch.testing.assert_close(generator(codes, 2, 1 - 1e-7), generator(codes, 2))
    torch.testing.assert_close(trunk(images, 2, 1 - 1e-7), trunk(images, 2))


def test_layers_of_equalised_learning_rate_keep_the_scale():
    """Weights from N(0, 1), times sqrt(2 / inputs) in use: what He et al. 2015 draw at once."""
    torch.manual_seed(0)
    for layer, x, inputs in (
        (EqualisedLinear(300, 400), torch.randn(500, 300), 300),
        (EqualisedConv(30, 40), torch.randn(50, 30, 8, 8), 270),
    ):
        assert layer.weight.std().item() == pytest.approx(1, abs=0.02)
        assert layer.factor == pytest.approx(math.sqrt(2 / inputs))
        inside = layer(x)[..., 1:-1, 1:-1] if x.ndim == 4 else layer(x)
        assert inside.std().item() == pytest.approx(math.sqrt(2), rel=0.05)


def test_pixel_norm_brings_each_pixel_to_a_mean_square_of_one():
    x = pixel_norm(5 * torch.randn(3, 7, 2, 2))
    torch.testing.assert_close(x.square().mean(dim=1), torch.ones(3, 2, 2))


def test_the_minibatch_statistic_is_the_mean_deviation_within_groups_of_four():
    x = torch.randn(8, 3, 2, 2)
    found = group_deviation(x)
    assert found.shape == (8, 1, 2, 2)
    for k in range(2):
        group = x[k::2]  # every second image, as in the published code
        expected = (group.var(dim=0, unbiased=False) + 1e-8).sqrt().mean()
        torch.testing.assert_close(found[k::2], expected.expand(4, 1, 2, 2))
    assert group_deviation(x[:1].expand(4, -1, -1, -1)).max() < 1e-3
    assert group_deviation(x[:6]).shape == (6, 1, 2, 2), "groups of two where four do not divide the batch"


def test_features_of_an_image_do_not_depend_on_other_images():
    trunk, images = GrowingTrunk(3, 1, SMALL, statistic=True), torch.randn(8, 1, 16, 16)
    torch.testing.assert_close(trunk.features(images, 2)[:2], trunk.features(images[:2], 2))
    alone, together = trunk(images[:4], 2), trunk(torch.cat([images[:2], images[:2]]), 2)
    assert (alone[:2] - together[:2]).abs().max() > 1e-6, "the discriminator is to see that images are alike"
