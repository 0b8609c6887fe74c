"""Which fits are made again, and which are kept."""

import math
from dataclasses import dataclass

import torch

from oddlens.detectors.blocks.lens_fits import FitMemory, _has_structure
from oddlens.detectors.blocks.levenberg_marquardt import Fit
from oddlens.detectors.blocks.noise_model import NoiseModel


@dataclass
class Flat:
    """A model whose images have one brightness, the first parameter."""

    pixels: int = 32

    def __call__(self, parameters):
        return parameters[:, :1].expand(-1, self.pixels**2)


def test_only_residuals_that_are_large_and_correlated_are_structure():
    """Noise that is larger than was assumed is no structure, nor is what is masked."""
    white = torch.randn(5, 32, 32, generator=torch.Generator().manual_seed(1))
    wave = torch.sin(torch.arange(32.0) / 3).expand(32, 32)
    data = white * torch.tensor([1.0, 1.5, 1.0, 1.0, 1.0])[:, None, None]
    data[2] += 1.2 * wave
    data[3] += 0.3 * wave  # chi-square 1.05
    data[4, :, :16] += 50
    floor = torch.ones(5, 32, 32)
    floor[4, :, :16] = math.inf
    noise = NoiseModel(0.0, floor.flatten(1))
    found = _has_structure(Flat(), 3 + data.flatten(1), noise, torch.full((5, 1), 3.0), 5)
    assert found.tolist() == [False, False, True, False, False]


def counted(calls):
    """A fit whose parameter is the mean of an image, which notes the numbers of images that it gets."""

    def fit(images):
        calls.append(len(images))
        mean = images.flatten(1).nanmean(dim=1)
        return Fit(mean[:, None], mean, mean > 0, mean, mean[:, None])

    return fit


def test_known_images_are_not_fitted_again():
    images = torch.arange(24.0).view(6, 1, 2, 2)
    images[3, 0, 0, 0] = torch.nan  # a masked pixel
    memory, calls = FitMemory(), []
    memory.keeps = True
    memory.fits(images[:4], counted(calls))
    found = memory.fits(images[[5, 3, 0, 3]], counted(calls))
    assert calls == [4, 1]
    for kept, new in zip(found, counted([])(images[[5, 3, 0, 3]]), strict=True):
        torch.testing.assert_close(kept, new, rtol=0, atol=0)


def test_nothing_is_kept_by_default():
    memory, calls = FitMemory(), []
    for _ in range(2):
        memory.fits(torch.ones(3, 1, 2, 2), counted(calls))
    assert calls == [3, 3]
