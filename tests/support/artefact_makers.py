"""Files of some kinds, for tests that damage them."""

import numpy as np
import torch

from oddlens.detectors.interface import loading
from oddlens.training.images import Images
from oddlens.training.loop import Objective, train


def a_checkpoint(path):
    network = torch.nn.Linear(4, 4)
    objective = Objective("fit", (network,), lambda batch: network(batch.images).square().mean(), lambda p: 0.1)
    images = Images(np.ones((8, 4, 4), np.float32), np.arange(8), None, "cpu")
    torch.nn.init.ones_(network.weight)
    torch.nn.init.ones_(network.bias)
    train(network, [objective], images, seed=1, epochs=2, batch_size=4, checkpoint=path)


def a_large_model(path):
    model = loading.detector("pca").build(128, components=8)
    model.fit(np.random.default_rng(0).random((20, 128, 128)), seed=1)
    model.save(path)
