"""Fits that are kept."""

import torch

from oddlens.detectors.blocks.lens_fits import FitMemory
from oddlens.detectors.blocks.levenberg_marquardt import Fit


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
