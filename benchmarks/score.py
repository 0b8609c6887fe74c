"""Images per second that autoencoders score, and the time in which the command starts: `python benchmarks/score.py`."""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from oddlens.detectors.interface import loading
from oddlens.detectors.interface.image_module import KnownCamera

CAMERA = KnownCamera(1e-3, 4e-5, 4.2)
"""The camera of models A and B at their default exposure, in electrons / s; the PSF in pixels."""


COMMAND = Path(sys.executable).with_name("oddlens")


def rate(name: str, pixels: int, count: int) -> float:
    """Images per second that a row of the default study scores, after one epoch of training on few images."""
    images = np.random.default_rng(0).random((count, pixels, pixels), dtype=np.float32)
    model = loading.detector(name).build(pixels, seed=1)
    model.fit(images[:500], seed=1, camera=CAMERA, training={"epochs": 1, "batch_size": 100})
    model.score(images[:500])
    start = time.perf_counter()
    model.score(images)
    return count / (time.perf_counter() - start)


def start_up(*arguments: str) -> float:
    """Seconds that the command `oddlens` takes."""
    start = time.perf_counter()
    subprocess.run([COMMAND, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Print medians over repetitions on all cores."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few images, to check that it runs")
    count, repetitions = (600, 1) if parser.parse_args().quick else (10_000, 5)
    print(f"{torch.get_num_threads()} threads\n\n| row | pixels | images/s |\n|---|---|---|")
    for name in ("dcae", "cvae", "aae"):
        for pixels in (32, 64):
            images_per_second = float(np.median([rate(name, pixels, count) for _ in range(repetitions)]))
            print(f"| {name} | {pixels} x {pixels} | {images_per_second:,.0f} |", flush=True)
    print(f"\n`oddlens --help` takes {np.median([start_up('--help') for _ in range(repetitions)]):.2f} s")


if __name__ == "__main__":
    main()
