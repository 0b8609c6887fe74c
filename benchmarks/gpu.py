"""What a GPU does for each stage, beside one core of the same machine: `python benchmarks/gpu.py`.

Simulation (JAX), training (PyTorch; how many models at once?) and fits of physics (in batches of how many?), each with
what it computes held against what the CPU computes. Images per second are medians of repeated calls after a first, and
of trainings means over all epochs after the first.
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
from oddlens.detectors.interface.image_module import KnownCamera
from oddlens.lensing.simulation import Simulation
from oddlens.stages.train import CAMERA

SIZES = {
    32: {},
    150: {"camera": {"pixels": 150, "pixel_scale_arcsec": 0.05, "psf": {"pixels": 41}, "exposure_s": 4000}},
}
"""Sides of images, and what config/paper.yaml changes for them."""
BATCH = 160


def model_b(pixels: int) -> Simulation:
    """Model B in images of this side."""
    return preset_simulation("model_b", above=SIZES[pixels])


def drawn(pixels: int, cls: str, count: int, path: Path, least: float) -> float:
    """Images per second before noise, on the platform of this process; the images go to `path`."""
    from oddlens.lensing import render, scene

    seen = model_b(pixels)
    render_them = render.renderer(seen.camera, cls)
    scenes = scene.draw_scenes(seen, 1, "model_b", "test", cls, np.arange(count))
    np.save(path, render_them(scenes)["image"][:64])
    return count / seconds(lambda: render_them(scenes), least)


def compare_simulations(platforms: list[str], least: float) -> None:
    """A process for each platform, as JAX has one."""
    print(f"| image | class | {' | '.join(platforms)} | largest difference, of the peak |")
    print("|---|" + "---|" * (len(platforms) + 2))
    with tempfile.TemporaryDirectory() as folder:
        for pixels, counts in ((32, {"cpu": 256, "cuda": 2048}), (150, {"cpu": 32, "cuda": 256})):
            for cls in ("smooth", "cdm", "vortex"):
                rates, images = [], []
                for platform in platforms:
                    count, path = counts[platform], Path(folder) / f"{platform}.npy"
                    told = [str(pixels), cls, str(count), str(path), str(least)]
                    environment = os.environ | {"JAX_PLATFORMS": platform, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
                    command = [sys.executable, __file__, "--draw", *told]
                    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
                    if found.returncode:
                        sys.exit(found.stderr)
                    rates.append(f"{float(found.stdout):,.0f}/s")
                    images.append(np.load(path))
                off = np.abs(images[0] - images[-1][: len(images[0])]).max() / images[0].max()
                print(f"| {pixels} x {pixels} | {cls} | {' | '.join(rates)} | {off:.1e} |", flush=True)


def taken(pixels: int, count: int) -> tuple[np.ndarray, KnownCamera]:
    """Smooth images and images with subhalos, half and half, and what is known of their camera."""
    from oddlens.stages.simulate import simulate

    shards = [
        simulate(model_b(pixels), seed=1, dataset="model_b", pool="test", cls=cls, first=0, count=count // 2)
        for cls in ("smooth", "cdm")
    ]
    known = [float(np.median(shards[0].arrays[f"truth/{name}"])) for name in CAMERA]
    return np.concatenate([shard.images for shard in shards]), KnownCamera(*known)


def trained(
    row: str, images: np.ndarray, camera: KnownCamera, device: str, epochs: int, **how: Any
) -> tuple[Detector, float]:
    """A model, and the images per second of all epochs after the first, of later stages, too."""
    torch.set_num_threads(1)
    model, ends = loading.detector(row).build(images.shape[-1], seed=1, **how), []
    training = {"epochs": epochs, "batch_size": BATCH, "augmentation": "symmetries"}
    told = {"camera": camera, "device": device, "training": training}
    model.fit(images, seed=1, **told, on_epoch=lambda _: ends.append(time.perf_counter()))
    return model, len(images) // BATCH * BATCH * (len(ends) - 1) / (ends[-1] - ends[0])


def training(device: str, count: int, epochs: int) -> None:
    """Rows side by side, which share the device."""
    print(f"\n| row | image | CPU, 1 core | {device} | {device}, 4 at once |\n|---|---|---|---|---|")
    for pixels in SIZES:
        few, camera = taken(pixels, 256)
        images = np.resize(few, (count, pixels, pixels))
        for row in ("dcae", "aae"):
            work = row, images, camera, device, epochs
            rates = [trained(row, images[: count // 4], camera, "cpu", 2)[1], trained(*work)[1]]
            rates.append(sum(rate for _, rate in Parallel(4)(delayed(trained)(*work) for _ in range(4))))
            told = " | ".join(f"{rate:,.0f}/s" for rate in rates)
            print(f"| {row} | {pixels} x {pixels} | {told} |", flush=True)


def fits(device: str, least: float, lenses: int) -> None:
    """A fit and a scan of each image, in batches of several sizes, and how far scores on both devices lie apart."""
    print(f"\n| lensfit | at once | {device} |\n|---|---|---|")
    for pixels, sizes in ((32, (256, 1024, 4096)), (150, (64, 128, 256))):
        images, camera = taken(pixels, 256)
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
        there = model.score(few)
        start = time.perf_counter()
        here = model.to("cpu").score(few)
        rate, off = len(few) / (time.perf_counter() - start), np.abs(here - there) / np.std(here)
        told = f"one core: {rate:,.0f}/s; scores differ by {np.median(off):.1e} (median) and {off.max():.1e} (largest)"
        print(f"| {pixels} x {pixels} | {model.batch_size} | {told} of their scatter |", flush=True)


@torch.no_grad()
def scored(model: Detector, batch: torch.Tensor) -> np.ndarray:
    """When they are there, not when they are asked for."""
    return model.anomaly_score(batch).cpu().numpy()


def main() -> None:
    """All three."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("stages", nargs="*", default=["simulation", "fits", "training"], help="which; default all")
    parser.add_argument("--quick", action="store_true", help="little of everything: to see that it runs")
    parser.add_argument("--draw", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.draw:
        pixels, cls, count, path, least = given.draw
        print(drawn(int(pixels), cls, int(count), Path(path), float(least)))
        return
    torch.set_num_threads(1)
    device, least = "cuda" if torch.cuda.is_available() else "cpu", 0.1 if given.quick else 1.0
    print(torch.cuda.get_device_name() if device == "cuda" else "no GPU: these are all figures of the CPU", flush=True)
    if "simulation" in given.stages:
        compare_simulations(["cpu", device] if device == "cuda" else ["cpu"], least)
    if "fits" in given.stages:
        fits(device, least, 512 if given.quick else 8192)
    if "training" in given.stages:
        training(device, 960 if given.quick else 8000, 2 if given.quick else 5)


if __name__ == "__main__":
    main()
