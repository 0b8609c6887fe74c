"""Writers of files for tests that damage them."""

import numpy as np
import torch

from oddlens.detectors.interface import loading
from oddlens.detectors.interface.model_files import save_model
from oddlens.training.images import TrainingImages
from oddlens.training.loop import Trainer, TrainingSettings
from oddlens.training.objectives import Objective


def a_checkpoint(path):
    network = torch.nn.Linear(4, 4)
    objective = Objective("fit", (network,), lambda batch: network(batch.images).square().mean(), lambda p: 0.1)
    images = TrainingImages(np.ones((8, 4, 4), np.float32), np.arange(8), None, "cpu")
    torch.nn.init.ones_(network.weight)
    torch.nn.init.ones_(network.bias)
    settings = TrainingSettings(epochs=2, batch_size=4)
    Trainer(network, [objective], images, seed=1, settings=settings, checkpoint=path).run()


def a_large_model(path):
    model = loading.detector("pca").build(128, components=8)
    model.fit(np.random.default_rng(0).random((20, 128, 128)), seed=1)
    save_model(model, path)
