"""Linear maps between images and the inputs of networks."""

import numpy as np
import pytest
import torch

from oddlens.detectors.blocks.coordinates import ComponentCoordinates, PlusMinusOne, Standardised, UpToOne
from oddlens.training.images import TrainingImages

PIXELS, COUNT = 16, 300


@pytest.mark.parametrize("kind", [ComponentCoordinates, Standardised, UpToOne, PlusMinusOne])
def test_the_error_of_coordinates_is_that_of_images(kind):
    """Without computing images of the outputs, some of which lie outside the components."""
    generator = torch.Generator().manual_seed(0)
    pixels = np.random.default_rng(1).normal(3, 1, (COUNT, PIXELS, PIXELS)).astype(np.float32)
    coordinates = kind() if issubclass(kind, UpToOne) else kind(PIXELS)
    view = TrainingImages(pixels, np.arange(COUNT), None, "cpu")
    coordinates.learn(view, generator, True)
    images = view[slice(0, 20)]
    inputs = coordinates(images)
    outputs = inputs + torch.randn(inputs.shape, generator=generator)
    wanted = (images - coordinates.inverse(outputs)).square().mean(dim=(1, 2, 3))
    found = coordinates.mean_squared_error(images, inputs, outputs)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert found.min() > 0
