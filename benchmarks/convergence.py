"""How far trainings of several lengths come with several settings of Muon: `python benchmarks/convergence.py`.

A row is trained on smooth lenses. The mean squared error of its reconstructions of other smooth lenses is printed, in
units of their noise. A perfect model has 1, and no anomaly is looked at. The first setting is that of the project.
"""

import argparse
import time

import numpy as np
import torch

from oddlens.config.presets import preset_simulation
from oddlens.detectors.blocks.reconstruction import ReconstructionDetector
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.fitting import known_camera
from oddlens.stages.simulate import simulate
from oddlens.training import optimisers

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


def main() -> None:
    """Print a line for each setting and length."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--row", default="dcae")
    parser.add_argument("--preset", default="model_b")
    parser.add_argument("--epochs", type=int, nargs="+", default=[4, 5, 6, 8])
    parser.add_argument("--images", type=int, default=8000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--settings", type=int, default=len(SETTINGS), help="so many of them")
    options = parser.parse_args()
    torch.set_num_threads(1)
    pools = {"train": options.images, "validation": 1000}
    made = {
        pool: simulate(
            preset_simulation(options.preset),
            seed=1,
            dataset=options.preset,
            pool=pool,
            cls="smooth",
            first=0,
            count=count,
        )
        for pool, count in pools.items()
    }
    print("| momentum | iterations | schedule | epochs | seed | error | s |\n|---|---|---|---|---|---|---|")
    for seed in options.seeds:
        for epochs in options.epochs:
            for momentum, iterations, schedule in SETTINGS[: options.settings]:
                optimisers.MUON_MOMENTUM, optimisers.MUON_ITERATIONS = momentum, iterations
                model = loading.detector(options.row).build(32, seed=seed, schedule=schedule)
                start = time.process_time()
                model.fit(
                    made["train"].images,
                    seed=seed,
                    camera=known_camera(made["train"].table),
                    training={"epochs": epochs, "batch_size": 160, "augmentation": "symmetries"},
                )
                spent = time.process_time() - start
                found = error(model, made["validation"].images)
                print(
                    f"| {momentum} | {iterations} | {schedule} | {epochs} | {seed} | {found:.3f} | {spent:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
