"""Rays of images and their means over pixels."""

import numpy as np
import pytest
import torch

from oddlens.lensing import halo_model, power_law, profiles
from oddlens.lensing.rays import CentralRays, ImageRays, PixelNodes

PIXELS, SIDE, SCALE = 6, 10, 0.1
MARGIN = (SIDE - PIXELS) // 2


def cubic(y, x):
    """A polynomial of third degree, with its mean over a pixel about (y, x)."""
    second = SCALE**2 / 12
    return 1 + y - 2 * x + 3 * x * y + 5 * y**2 * x, 1 + y - 2 * x + 3 * x * y + 5 * (y**2 + second) * x


@pytest.fixture
def rays():
    return ImageRays(2, PIXELS, SIDE, SCALE)


@pytest.fixture
def padded():
    """Centres of the pixels with a margin, [SIDE^2], row 0 at the top."""
    axis = (torch.arange(SIDE) - (SIDE - 1) / 2) * SCALE
    return torch.meshgrid(-axis, axis, indexing="ij")


def test_means_over_pixels_are_exact_inside_and_those_of_the_centre_in_the_margin(rays, padded):
    at_rays, _ = cubic(rays.y, rays.x)
    centre, mean = cubic(*padded)
    expected = centre.clone()
    inside = (slice(MARGIN, -MARGIN),) * 2
    expected[inside] = mean[inside]
    found = rays.pixel_means(at_rays)
    assert found.shape == (1, SIDE**2)
    torch.testing.assert_close(found.view(SIDE, SIDE), expected, rtol=0, atol=1e-6)
    assert (expected - centre).abs().max() > 1e-4  # the test can tell them apart


def test_means_of_products_are_those_of_each_pair(rays):
    a, b = torch.randn(2, 3, 4, rays.y.shape[1], generator=torch.Generator().manual_seed(1))
    expected = rays.pixel_means(a[:, :, None] * b[:, None])
    torch.testing.assert_close(rays.pixel_means_of_products(a, b), expected, rtol=1e-5, atol=1e-6)


def test_the_first_rays_are_one_of_each_pixel(rays, padded):
    for own, centre in zip((rays.y, rays.x), padded, strict=True):
        assert ((own[0, rays.first] - centre.flatten()).abs() < SCALE / 2).all()


def test_nearest_pixels_are_those_of_the_image_in_order(rays):
    beta = (rays.y - 0.11, rays.x + 0.07)
    found = rays.nearest_pixels((beta[0][None], beta[1][None]), 5)[0]
    distance = torch.hypot(rays.pixel_y - 0.11, rays.pixel_x + 0.07)
    assert found[0] == distance.argmin()
    assert set(found.tolist()) <= set(distance.topk(9, largest=False).indices.tolist())


def test_finer_rays_correct_the_usual_ones():
    """A cusp needs more rays; a polynomial that all integrate exactly does not."""
    central = CentralRays(2, [(2, 40), (3, 8)], SCALE)
    y, x = torch.tensor([[0.0, 0.1, 0.2, 0.3, 0.4]]), torch.tensor([[0.0, 0.0, 0.1, 0.0, -0.1]])
    ray_y, ray_x = central.positions(y, x)
    assert ray_y.shape == (1, 1, 2 * 40**2 + 3 * 8**2 + 5 * 2**2)
    torch.testing.assert_close(central.corrections(cubic(ray_y, ray_x)[0]), torch.zeros(1, 1, 5), rtol=0, atol=1e-6)
    cusp = central.corrections(torch.hypot(ray_y, ray_x))[0, 0]
    exact = SCALE * (np.sqrt(2) + np.arcsinh(1)) / 6  # mean distance from the centre of a square
    usual = PixelNodes(2, SCALE)
    assert cusp[0].item() == pytest.approx(exact - torch.hypot(usual.y, usual.x).mean().item(), abs=1e-6)
    assert cusp[0].abs() > 10 * cusp[2:].abs().max()


@pytest.mark.parametrize("orders", [(3,), (4,), (3, 4), (2, 3)])
def test_fields_of_multipoles_are_those_of_the_simulator(orders):
    generator = torch.Generator().manual_seed(3)
    y, x = torch.rand(2, 1, 50, generator=generator, dtype=torch.float64) * 4 - 2
    turns = [(m, torch.tensor(turn, dtype=torch.float64)) for m in orders for turn in (0.0, np.pi / (2 * m))]
    waves = halo_model.multipole_waves(y, x, orders)
    isothermal = halo_model.isothermal_multipoles(y, x, orders)
    assert len(waves) == len(isothermal) == len(turns)
    for found, deflection, (m, turn) in zip(waves, isothermal, turns, strict=True):
        for ours, theirs in zip(found, power_law.multipole_waves(y, x, m, turn, torch), strict=True):
            torch.testing.assert_close(torch.stack(ours), torch.stack(theirs))
        theirs = profiles.multipole(y, x, m, 1.0, 1.0, turn, torch)
        torch.testing.assert_close(torch.stack(deflection), torch.stack(theirs))
