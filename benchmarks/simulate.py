"""Images per second and core of oddlens and other codes, with their numerical errors: `make bench`.

All render the same lenses of model A (test pool) on one core, interleaved in one run. oddlens is timed end to end
(sampling, rays, noise, HDF5) and, like the others, for noise-free images alone. Times are the CPU time of all threads,
without start-up and compilation. The error is that of the worst pixel of an image in units of its noise, relative to
PyAutoLens with 32 x 32 rays per pixel: a faster code with a larger error is not an improvement. The reference of codes
that represent a vortex by a chain of points is that chain, so that the error is numerical only.

On a GPU (JAX_PLATFORMS=cuda) it times only the renderer of oddlens.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# One thread, before anything that starts threads is imported.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"), "1")

import jax
import limit
import peers

from oddlens.config.presets import preset_simulation
from oddlens.data import shards
from oddlens.lensing import camera as cameras
from oddlens.lensing import reference, render, scene
from oddlens.lensing.scene import Scenes
from oddlens.lensing.simulated_images import simulate_images
from oddlens.stages.simulate import MAX_BATCH_IMAGES

CLASSES = ("smooth", "cdm", "vortex")
SIMULATION = preset_simulation("model_a")
NAMES = {"seed": 1, "dataset": "model_a", "pool": "test"}
REFERENCE_RAYS = 32
"""Rays per pixel side of the reference images."""
EQUAL_ERROR_RATIO = 1.2
"""Codes whose median error is at most this factor larger than that of oddlens count as equally accurate."""
FULL = {"rounds": 5, "checked": 12, "bursts": 5}
QUICK = {"rounds": 2, "checked": 2, "bursts": 1}
"""Rounds of timing, images whose error is computed, and repetitions of the scaling test."""


@dataclass
class Entry:
    """A renderer, its scenes, and its times.

    Attributes:
        rays: rays per pixel side, for the table.
        reference: "line" or "chain", the reference images of a vortex.
        timed: images per round of timing.
        error: median and largest error.
    """

    name: str
    rays: str
    call: Callable[[Scenes], np.ndarray]
    scenes: Scenes
    reference: str
    timed: int
    milliseconds: list[float]
    error: tuple[float, float] = (np.nan, np.nan)


def pin(core: int) -> None:
    """Keep the process on one core, if the system allows it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    torch = sys.modules.get("torch")
    if torch:
        torch.set_num_threads(1)


def cores() -> list[int]:
    """The cores that the process can use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


# --- errors ----------------------------------------------------------------------------------------------------------


def _reference(cls: str, scenes: Scenes, k: int) -> np.ndarray:
    return reference.image(SIMULATION.camera, cls, scenes, k, REFERENCE_RAYS)


def reference_images(cls: str, scenes: Scenes, chains: Scenes | None, count: int, pool: ProcessPoolExecutor) -> dict:
    """References of the first images, [count, pixels, pixels], of vortices as lines and as chains of points."""
    requests = {"line": (cls, scenes[:count])} | ({"chain": ("cdm", chains[:count])} if chains else {})
    jobs = {
        name: [pool.submit(_reference, *arguments, k) for k in range(count)] for name, arguments in requests.items()
    }
    return {name: np.stack([job.result() for job in own]) for name, own in jobs.items()}


def error(images: np.ndarray, expected: np.ndarray, scenes: Scenes) -> tuple[float, float]:
    """The error of the worst pixel in units of its noise, the median and the largest over images."""
    q = scenes[: len(expected)].lens
    sigma = cameras.noise_sigma(
        expected, *(c[:, None, None] for c in (q["exposure_s"], cameras.sky(SIMULATION.camera, q)))
    )
    worst = np.max(np.abs(images - expected) / sigma, axis=(1, 2))
    return float(np.median(worst)), float(np.max(worst))


# --- renderers -------------------------------------------------------------------------------------------------------


def end_to_end(cls: str, rendered, folder: Path) -> Callable[[Scenes], np.ndarray]:
    """oddlens from names to a shard on disk; it samples the same scenes itself."""
    simulation = SIMULATION.only(cls)

    def call(scenes: Scenes) -> np.ndarray:
        indices = np.arange(len(scenes.lens["area"]))
        simulated = simulate_images(simulation, rendered, cls=cls, indices=indices, **NAMES)
        shards.write(folder / "shard.h5", shards.Shard(simulated.arrays(indices), {"class": cls}))
        return simulated.rendered["image"]

    return call


def build_entries(cls: str, scenes: Scenes, chains: Scenes | None, folder: Path, compiled: bool) -> list[Entry]:
    """All renderers of a class, the loop of PyAutoLens first."""
    camera, kernel = SIMULATION.camera, cameras.psf_kernels(SIMULATION.camera, scenes.lens)[0]
    rendered, pointed = render.renderer(camera, cls), chains or scenes
    entries = [
        Entry("PyAutoLens loop", "8", peers.pyautolens(camera, cls, kernel, 8, objects=False), scenes, "line", 8, [])
    ]
    if cls != "smooth":
        loop = peers.pyautolens(camera, cls, kernel, 8, objects=True)
        entries.append(Entry("PyAutoLens loop, PointMass objects", "8", loop, pointed, "chain", 4, []))
    entries.append(
        Entry("oddlens, noise and HDF5 included", "2-72", end_to_end(cls, rendered, folder), scenes, "line", 256, [])
    )
    entries.append(Entry("oddlens, noise-free", "2-72", lambda s: rendered(s)["image"], scenes, "line", 256, []))
    for rays in (4, 8, 10):
        entries.append(
            Entry("lenstronomy, numba", str(rays), peers.lenstronomy(camera, kernel, rays), pointed, "chain", 4, [])
        )
    for flag, counts in ((False, (4, 8)), (True, (4, 6, 8, 10))):
        for rays in counts if compiled or not flag else ():
            call, batch = peers.caustics(camera, kernel, rays, pointed, flag)
            name = "caustics, torch.compile" if flag else "caustics, torch.vmap"
            entries.append(Entry(name, str(rays), call, pointed, "chain", 4 * batch if flag else max(2, batch), []))
    return entries


def measure(entries: list[Entry], references: dict, rounds: int) -> None:
    """Compute the errors, which also warms up, then the times: each round calls all renderers in turn."""
    for entry in entries:
        expected = references.get(entry.reference, references["line"])
        try:
            entry.call(entry.scenes[: entry.timed])
            entry.error = error(
                entry.call(entry.scenes[: max(entry.timed, len(expected))])[: len(expected)], expected, entry.scenes
            )
        except Exception as failure:  # for example without a compiler for torch.compile: the others continue
            entry.name += f" FAILED: {type(failure).__name__}"
            entry.timed = 0
    for _ in range(rounds):
        for entry in entries:
            if entry.timed:
                start = time.process_time()
                entry.call(entry.scenes[: entry.timed])
                entry.milliseconds.append((time.process_time() - start) * 1e3 / entry.timed)


def table(cls: str, entries: list[Entry]) -> None:
    """Print a line for each renderer; ratios are medians over rounds."""
    loop = entries[0].milliseconds
    print(f"\n{cls:36} rays/side  core-ms  images/s/core  x loop   error in noise: median  worst")
    for entry in entries:
        if not entry.milliseconds:
            print(f"  {entry.name:34} {entry.rays:>9}")
            continue
        took = statistics.median(entry.milliseconds)
        ratio = statistics.median(a / b for a, b in zip(loop, entry.milliseconds, strict=True))
        print(
            f"  {entry.name:34} {entry.rays:>9} {took:8.2f} {1e3 / took:14.0f} {ratio:7.1f}"
            f" {entry.error[0]:24.4f} {entry.error[1]:6.3f}"
        )
    _verdict(entries)


def _verdict(entries: list[Entry]) -> None:
    """Compare oddlens with the fastest code of equal accuracy (`EQUAL_ERROR_RATIO`), or else with the most accurate."""
    full, clean = (next(e for e in entries if e.name.startswith(f"oddlens, {n}")) for n in ("noise and", "noise-free"))
    peer = [e for e in entries if e.milliseconds and not e.name.startswith(("oddlens", "PyAutoLens"))]
    equal = [e for e in peer if e.error[0] <= EQUAL_ERROR_RATIO * clean.error[0]]
    if equal:
        best = min(equal, key=lambda e: statistics.median(e.milliseconds))
        description = f"fastest code of equal accuracy: {best.name} with {best.rays}"
    else:
        best = min(peer, key=lambda e: e.error[0])
        description = f"no code of equal accuracy; most accurate: {best.name} with {best.rays}"
    took = statistics.median(best.milliseconds)
    ratios = [took / statistics.median(e.milliseconds) for e in (full, clean)]
    print(f"  {description}; oddlens is {ratios[0]:.1f} times as fast, noise-free {ratios[1]:.1f} times")


# --- time of each step, and the limit --------------------------------------------------------------------------------


def parts(cls: str, scenes: Scenes, folder: Path, rounds: int) -> dict[str, float]:
    """CPU milliseconds per image of sampling, rendering, noise, and making and writing the shard."""
    simulation, indices, count = SIMULATION.only(cls), np.arange(len(scenes.lens["area"])), len(scenes.lens["area"])
    rendered = render.renderer(SIMULATION.camera, cls)
    simulated = simulate_images(simulation, rendered, cls=cls, indices=indices, **NAMES)
    steps = {
        "draw": lambda: scene.draw_scenes(simulation, cls=cls, indices=indices, **NAMES),
        "rays": lambda: rendered(scenes),
        "picture": lambda: simulate_images(simulation, rendered, cls=cls, indices=indices, **NAMES),
        "shard": lambda: shards.write(folder / "s.h5", shards.Shard(simulated.arrays(indices), {"class": cls})),
    }
    taken = [{name: limit.fastest(step, 1) for name, step in steps.items()} for _ in range(rounds)]  # interleaved
    spent = {name: min(one[name] for one in taken) * 1e3 / count for name in steps}
    spent["noise"] = spent["picture"] - spent["draw"] - spent["rays"]
    return spent


def limits(scenes_of: dict[str, Scenes], folder: Path, rounds: int) -> None:
    """Print the operations per image, their rate, and the limit of the rate."""
    matrix, slow_rates = limit.matrix_rate(), limit.slow_rates()
    print(f"\nOne core: {matrix / 1e9:.0f} GFLOP/s in a product of float32 matrices; in the cache, 1e9 per s:", end=" ")
    print(", ".join(f"{name} {rate / 1e9:.2f}" for name, rate in slow_rates.items()))
    print("         core-ms per image:                |  per image, in rays:           |   of the      | limit reached")
    print("         draw    rays   noise   shard      |  rays   Mflop  Mslow   GFLOP/s |   matrix rate | core-ms")
    for cls, scenes in scenes_of.items():
        spent = parts(cls, scenes, folder, rounds)
        levels = render.renderer(SIMULATION.camera, cls)(scenes)["rays"]
        plain, slow = limit.split(limit.operations(SIMULATION.camera, cls, scenes, levels))
        least = (plain / matrix + sum(number / slow_rates[name] for name, number in slow.items())) * 1e3
        speed = (plain + sum(slow.values())) / (spent["rays"] / 1e3)
        print(
            f"{cls:6}" + "".join(f"{spent[name]:8.3f}" for name in ("draw", "rays", "noise", "shard")) + "     | "
            f"{np.mean(limit.rays(SIMULATION.camera, levels)):6.0f} {plain / 1e6:7.2f} {sum(slow.values()) / 1e6:6.3f} "
            f"{speed / 1e9:8.1f}  | {speed / matrix:12.1%}  | {least:6.3f} {least / spent['rays']:9.0%}"
        )
    print(
        "Mslow: millions of divisions, roots, exponentials, logarithms, powers, arc tangents; a flop each in GFLOP/s."
    )


# --- two processes ---------------------------------------------------------------------------------------------------


def _worker(core: int, cls: str, pipe) -> None:
    """Simulate images for each number that is received, and send back the wall-clock and CPU seconds."""
    pin(core)
    rendered = render.renderer(SIMULATION.camera, cls)
    scenes = scene.draw_scenes(SIMULATION.only(cls), cls=cls, indices=np.arange(MAX_BATCH_IMAGES), **NAMES)
    with tempfile.TemporaryDirectory() as folder:
        call = end_to_end(cls, rendered, Path(folder))
        call(scenes)
        pipe.send(None)
        while calls := pipe.recv():
            start = np.array([time.perf_counter(), time.process_time()])
            for _ in range(calls):
                call(scenes)
            pipe.send(np.array([time.perf_counter(), time.process_time()]) - start)


def scaling(bursts: int, available: list[int], cls: str = "cdm", calls: int = 8) -> None:
    """Print images per second of two pinned processes relative to one. CPU times are valid on a busy machine, too."""
    if len(available) < 2:
        print("\nOnly one core: the scaling of two processes cannot be measured here.")
        return
    context, pipes, processes = multiprocessing.get_context("spawn"), [], []
    for core in available[:2]:
        near, far = context.Pipe()
        processes.append(context.Process(target=_worker, args=(core, cls, far)))
        processes[-1].start()
        pipes.append(near)
    for pipe in pipes:
        pipe.recv()
    one, two = [], []
    for _ in range(bursts):
        for active, rates in ((pipes[:1], one), (pipes[1:], one), (pipes, two)):
            for pipe in active:
                pipe.send(calls)
            rates.append(sum(calls * MAX_BATCH_IMAGES / pipe.recv() for pipe in active))
    for pipe, process in zip(pipes, processes, strict=True):
        pipe.send(0)
        process.join()
    alone, together = np.median(one, axis=0), np.median(two, axis=0)  # each [wall, CPU]
    wall, cpu = together / alone
    print(
        f"\nTwo pinned processes ({cls}, noise and HDF5): {together[0]:.0f} images/s, one {alone[0]:.0f}: "
        f"x {wall:.2f} by the wall, x {cpu:.2f} by CPU time"
    )


# --- GPU -------------------------------------------------------------------------------------------------------------


def gpu() -> bool:
    """Time the renderer on a GPU, if JAX has one."""
    if jax.devices()[0].platform != "gpu":
        return False
    simulation = preset_simulation("model_a", "euclid")
    for cls in CLASSES:
        rendered, spent = render.renderer(simulation.camera, cls), []
        scenes = scene.draw_scenes(simulation.only(cls), cls=cls, indices=np.arange(1024), **NAMES)
        for _ in range(4):
            start = time.perf_counter()
            rendered(scenes)
            spent.append(time.perf_counter() - start)
        print(
            f"{jax.devices()[0].device_kind}: {cls:8} 64 x 64 pixels, {1024 / min(spent[1:]):.0f} noise-free images/s"
        )
    return True


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="two images, no torch.compile: test that the benchmark runs"
    )
    quick = parser.parse_args().quick
    sizes, available = QUICK if quick else FULL, cores()
    if gpu():
        return
    scenes_of = {
        cls: scene.draw_scenes(SIMULATION.only(cls), cls=cls, indices=np.arange(MAX_BATCH_IMAGES), **NAMES)
        for cls in CLASSES
    }
    chains = {"vortex": peers.vortices_as_chains(scenes_of["vortex"])}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(available), mp_context=context) as pool:
        references = {
            cls: reference_images(cls, scenes_of[cls], chains.get(cls), sizes["checked"], pool) for cls in CLASSES
        }
    scaling(sizes["bursts"], available)
    pin(available[0])
    with tempfile.TemporaryDirectory() as folder:
        for cls, scenes in scenes_of.items():
            entries = build_entries(cls, scenes, chains.get(cls), Path(folder), compiled=not quick)
            measure(entries, references[cls], sizes["rounds"])
            table(cls, entries)
        limits(scenes_of, Path(folder), sizes["rounds"])
    print("\nJAX has no GPU: set JAX_PLATFORMS=cuda on a machine with one.")


if __name__ == "__main__":
    main()
