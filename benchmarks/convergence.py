"""How far trainings of several lengths come with several settings of Muon: `python benchmarks/convergence.py`.

A row is trained on smooth lenses. The mean squared error of its reconstructions of other smooth lenses is printed, in
units of their noise, of which a perfect model leaves 1. Settings are compared by this number, without any anomaly; the
first setting is that of the project. With --auc, the AUC of test images is printed beside it.
"""

import argparse
import itertools
import time

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from oddlens.config.presets import preset_simulation
from oddlens.data import shards
from oddlens.detectors.blocks.reconstruction import ReconstructionDetector
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.fitting import known_camera
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.stages.simulate import simulate
from oddlens.training import optimisers

SEED = 2020  # that of the default study
CLASSES = (SMOOTH, "cdm", "vortex")
SETTINGS = [
    (optimisers.MUON_MOMENTUM, optimisers.MUON_ITERATIONS, "linear"),
    (0.85, 5, "linear"),
    (0.9, 4, "linear"),
    (0.9, 5, "cosine"),
    (0.95, 5, "cosine"),
    (0.95, 4, "cosine"),
]
"""Momentum, iterations of the orthogonalisation, schedule of the learning rate."""


@torch.no_grad()
def error(model: ReconstructionDetector, images: np.ndarray) -> float:
    """The mean squared error of reconstructions in all orientations, in units of the noise."""
    scaled = torch.from_numpy(images)[:, None] / model.scale
    squares = [
        model.stabilise(part).sub(model.stabilise(model.reconstruct(part))).square().mean()
        for part in scaled.split(250)
    ]
    return float(torch.stack(squares).mean())


def auc(model: ReconstructionDetector, images: dict[str, np.ndarray]) -> float:
    """The AUC of both anomalous classes against the smooth one."""
    smooth, *anomalous = (model.score(images[cls]) for cls in CLASSES)
    labels = np.repeat([0, 1], [len(smooth), sum(map(len, anomalous))])
    return float(roc_auc_score(labels, np.concatenate([smooth, *anomalous])))


def main() -> None:
    """Print a line for each setting and length."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--row", default="dcae")
    parser.add_argument("--preset", default="model_b")
    parser.add_argument("--epochs", type=int, nargs="+", default=[4, 5, 6, 8])
    parser.add_argument("--images", type=int, default=8000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--settings", type=int, nargs="+", default=range(len(SETTINGS)), help="their numbers, from 0")
    parser.add_argument("--auc", action="store_true", help="also of 1,000 test images of each class")
    options = parser.parse_args()
    torch.set_num_threads(1)
    simulation = preset_simulation(options.preset)

    def made(pool: str, cls: str, count: int) -> shards.Shard:
        return simulate(simulation, seed=SEED, dataset=options.preset, pool=pool, cls=cls, first=0, count=count)

    train, validation = made("train", SMOOTH, options.images), made("validation", SMOOTH, 1000)
    test = {cls: made("test", cls, 1000).images for cls in CLASSES} if options.auc else {}
    print("| momentum | iterations | schedule | epochs | seed | error | s | AUC |\n|---|---|---|---|---|---|---|---|")
    for seed, epochs, number in itertools.product(options.seeds, options.epochs, options.settings):
        momentum, iterations, schedule = SETTINGS[number]
        optimisers.MUON_MOMENTUM, optimisers.MUON_ITERATIONS = momentum, iterations
        model = loading.detector(options.row).build(32, seed=seed, schedule=schedule)
        assert isinstance(model, ReconstructionDetector)
        start = time.process_time()
        model.fit(
            train.images,
            seed=seed,
            camera=known_camera(train.table),
            training={"epochs": epochs, "batch_size": 160, "augmentation": "symmetries"},
        )
        spent, found = time.process_time() - start, error(model, validation.images)
        of_test = f"{auc(model, test):.3f}" if test else ""
        columns = (momentum, iterations, schedule, epochs, seed, f"{found:.3f}", f"{spent:.0f}", of_test)
        print(f"| {' | '.join(map(str, columns))} |", flush=True)


if __name__ == "__main__":
    main()
