"""The speed of each stage on a GPU and on one core of the same machine: `python benchmarks/gpu.py`.

Simulation (JAX), training (PyTorch; one or several models at once) and lens fits (in batches of several sizes). The
results of simulations and fits are compared with those of the CPU. Images per second are medians of repeated calls
after a first one; those of trainings are means over all epochs after the first.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fit import seconds
from joblib import Parallel, delayed

from oddlens.config.presets import preset_simulation
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.fitting import known_camera
from oddlens.detectors.interface.image_module import KnownCamera
from oddlens.lensing.simulation import Simulation

SIZES = {
    32: {},
    150: {"camera": {"pixels": 150, "pixel_scale_arcsec": 0.05, "psf": {"pixels": 41}, "exposure_s": 4000}},
}
"""Sides of images, and the changes of config/paper.yaml for them."""
BATCH = 160


def model_b(pixels: int) -> Simulation:
    """Model B with images of this side."""
    return preset_simulation("model_b", above=SIZES[pixels])


def rendering_rate(pixels: int, cls: str, count: int, path: Path, least: float) -> float:
    """Images per second without noise, on the platform of this process; some images are saved to `path`."""
    from oddlens.lensing import render, scene

    simulation = model_b(pixels)
    render_them = render.renderer(simulation.camera, cls)
    scenes = scene.draw_scenes(simulation, 1, "model_b", "test", cls, np.arange(count))
    np.save(path, render_them(scenes)["image"][:64])
    return count / seconds(lambda: render_them(scenes), least)


def compare_simulations(platforms: list[str], least: float) -> None:
    """Simulate in one process for each platform, as JAX uses one platform in a process."""
    print(f"| image | class | {' | '.join(platforms)} | largest difference, of the peak |")
    print("|---|" + "---|" * (len(platforms) + 2))
    with tempfile.TemporaryDirectory() as folder:
        for pixels, counts in ((32, {"cpu": 256, "cuda": 2048}), (150, {"cpu": 32, "cuda": 256})):
            for cls in ("smooth", "cdm", "vortex"):
                rates, images = [], []
                for platform in platforms:
                    count, path = counts[platform], Path(folder) / f"{platform}.npy"
                    arguments = [str(pixels), cls, str(count), str(path), str(least)]
                    environment = os.environ | {"JAX_PLATFORMS": platform, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
                    command = [sys.executable, __file__, "--draw", *arguments]
                    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
                    if run.returncode:
                        sys.exit(run.stderr)
                    rates.append(f"{float(run.stdout):,.0f}/s")
                    images.append(np.load(path))
                difference = np.abs(images[0] - images[-1][: len(images[0])]).max() / images[0].max()
                print(f"| {pixels} x {pixels} | {cls} | {' | '.join(rates)} | {difference:.1e} |", flush=True)


def simulated(pixels: int, count: int) -> tuple[np.ndarray, KnownCamera]:
    """Smooth images and images with subhalos, half of each, and their camera."""
    from oddlens.stages.simulate import simulate

    shards = [
        simulate(model_b(pixels), seed=1, dataset="model_b", pool="test", cls=cls, first=0, count=count // 2)
        for cls in ("smooth", "cdm")
    ]
    return np.concatenate([shard.images for shard in shards]), known_camera(shards[0].table)


def trained(
    row: str, images: np.ndarray, camera: KnownCamera, device: str, epochs: int, **settings: Any
) -> tuple[Detector, float]:
    """A trained model, and its images per second in all epochs after the first."""
    torch.set_num_threads(1)
    model, ends = loading.detector(row).build(images.shape[-1], seed=1, **settings), []
    training = {"epochs": epochs, "batch_size": BATCH, "augmentation": "symmetries"}
    arguments = {"camera": camera, "device": device, "training": training}
    model.fit(images, seed=1, **arguments, on_epoch=lambda _: ends.append(time.perf_counter()))
    return model, len(images) // BATCH * BATCH * (len(ends) - 1) / (ends[-1] - ends[0])


def training(device: str, count: int, epochs: int) -> None:
    """Train one model, and several that share the device."""
    print(f"\n| row | image | CPU, 1 core | {device} | {device}, 4 at once |\n|---|---|---|---|---|")
    for pixels in SIZES:
        few, camera = simulated(pixels, 256)
        images = np.resize(few, (count, pixels, pixels))
        for row in ("dcae", "aae"):
            work = row, images, camera, device, epochs
            rates = [trained(row, images[: count // 4], camera, "cpu", 2)[1], trained(*work)[1]]
            rates.append(sum(rate for _, rate in Parallel(4)(delayed(trained)(*work) for _ in range(4))))
            cells = " | ".join(f"{rate:,.0f}/s" for rate in rates)
            print(f"| {row} | {pixels} x {pixels} | {cells} |", flush=True)


def fits(device: str, least: float, lenses: int) -> None:
    """Fit and scan images in batches of several sizes, and compare the scores of both devices."""
    print(f"\n| lensfit | batch | {device} |\n|---|---|---|")
    for pixels, sizes in ((32, (256, 1024, 4096)), (150, (64, 128, 256))):
        images, camera = simulated(pixels, 256)
        known = {"simulation": model_b(pixels).plain(), "lenses": lenses}
        model, _ = trained("lensfit", np.resize(images, (lenses, pixels, pixels)), camera, device, 4, **known)
        for size in sizes if device == "cuda" else (model.batch_size,):
            batch = torch.from_numpy(np.resize(images, (size, pixels, pixels)))[:, None].to(device) / model.scale
            try:
                rate = f"{size / seconds(partial(scored, model, batch), least):,.0f}/s"
            except torch.OutOfMemoryError:
                rate = "not enough memory"
            print(f"| {pixels} x {pixels} | {size} | {rate} |", flush=True)
            torch.cuda.empty_cache()
        few = images[::8]
        on_device = model.score(few)
        start = time.perf_counter()
        on_cpu = model.to("cpu").score(few)
        rate, difference = len(few) / (time.perf_counter() - start), np.abs(on_cpu - on_device) / np.std(on_cpu)
        text = f"one core: {rate:,.0f}/s; differences of scores: {np.median(difference):.1e} (median)"
        text += f" and {difference.max():.1e} (largest) of their scatter"
        print(f"| {pixels} x {pixels} | {model.batch_size} | {text} |", flush=True)


@torch.no_grad()
def scored(model: Detector, batch: torch.Tensor) -> np.ndarray:
    """The scores as an array, so that the GPU has finished."""
    return model.anomaly_score(batch).cpu().numpy()


def main() -> None:
    """Run the chosen benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("stages", nargs="*", default=["simulation", "fits", "training"], help="which; default all")
    parser.add_argument("--quick", action="store_true", help="few images, to test that it runs")
    parser.add_argument("--draw", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.draw:
        pixels, cls, count, path, least = arguments.draw
        print(rendering_rate(int(pixels), cls, int(count), Path(path), float(least)))
        return
    torch.set_num_threads(1)
    device, least = "cuda" if torch.cuda.is_available() else "cpu", 0.1 if arguments.quick else 1.0
    print(torch.cuda.get_device_name() if device == "cuda" else "no GPU: all figures are of the CPU", flush=True)
    if "simulation" in arguments.stages:
        compare_simulations(["cpu", device] if device == "cuda" else ["cpu"], least)
    if "fits" in arguments.stages:
        fits(device, least, 512 if arguments.quick else 8192)
    if "training" in arguments.stages:
        training(device, 960 if arguments.quick else 8000, 2 if arguments.quick else 5)


if __name__ == "__main__":
    main()
