"""CPU time per simulated image, noise and writing included, beside a plain loop over PyAutoLens: `make bench`.

Both make the same scenes of model A, with equal over-sampling and PSF, on one core, interleaved in one run; quote the
ratio. Start-up and compilation, paid once per shard, are left out of both: ours is the slope between two shard sizes.
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

from oddlens import settings, shards
from oddlens.lensing import render, scene
from oddlens.lensing.simulate import BATCH, simulate

ROUNDS, LOOP = 5, 8
CONFIG = Path(__file__).parents[1] / "config" / "config.yaml"


def ours(dataset, cls: str, folder: str) -> float:
    """CPU seconds per image: draw, render, expose, write."""
    spent = []
    for count in (BATCH, 4 * BATCH):
        start = time.process_time()
        names = {"seed": 1, "dataset": "model_a", "pool": "test", "cls": cls}
        shards.write(Path(folder) / "shard.h5", simulate(dataset.only(cls), **names, first=0, count=count))
        spent.append(time.process_time() - start)
    return (spent[1] - spent[0]) / (3 * BATCH)


def plain(dataset, cls: str) -> float:
    """CPU seconds per image of the loop, without noise and writing."""
    scenes = scene.draw(dataset, 1, "model_a", "test", cls, np.arange(LOOP))
    start = time.process_time()
    render.render_numpy(dataset.camera, cls, scenes)
    return (time.process_time() - start) / LOOP


def main() -> None:
    """Print medians over rounds."""
    dataset = settings.study(yaml.safe_load(CONFIG.read_text())).datasets["model_a"]
    print(f"{'class':8} {'PyAutoLens loop':>16} {'oddlens':>10} {'ratio':>7}   (core-ms per image, median of {ROUNDS})")
    with tempfile.TemporaryDirectory() as folder:
        for cls in dataset.classes:
            plain(dataset, cls)  # warm
            pairs = [(plain(dataset, cls), ours(dataset, cls, folder)) for _ in range(ROUNDS)]
            loop, mine = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
            ratio = statistics.median(a / b for a, b in pairs)
            print(f"{cls:8} {loop:16.1f} {mine:10.2f} {ratio:7.1f}")


if __name__ == "__main__":
    main()
