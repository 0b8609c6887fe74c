"""Images per second and core, ours and other codes', with the numerical error of each beside it: `make bench`.

All draw the same lenses of model A (test pool) on one core, interleaved in one run. Ours is timed end to end (drawing,
rays, noise, HDF5) and, like the others, for its noise-free images alone. Times are CPU time of all threads; start-up
and compilation, which a process pays once, are left out. The error is that of an image's worst pixel in units of the
pixel's noise, against PyAutoLens with 32 x 32 rays per pixel: less time at a larger error is no gain. For those that
chain points in place of a vortex the truth is that chain, so that the error is one of numbers only, not of physics.

On a GPU (JAX_PLATFORMS=cuda) it times our renderer there and nothing else.
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
TRUTH_RAYS = 32
ALIKE = 1.2
FULL = {"rounds": 5, "checked": 12, "bursts": 5}
QUICK = {"rounds": 2, "checked": 2, "bursts": 1}


@dataclass
class Entry:
    """A competitor: what it draws, from which scenes, against which truth, and how many images are timed per round."""

    name: str
    rays: str
    call: Callable[[Scenes], np.ndarray]
    scenes: Scenes
    truth: str  # "line" or "chain": where these differ
    timed: int
    milliseconds: list[float]
    error: tuple[float, float] = (np.nan, np.nan)


def pin(core: int) -> None:
    """Keep the process on one core, where the system lets us."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    torch = sys.modules.get("torch")
    if torch:
        torch.set_num_threads(1)


def cores() -> list[int]:
    """The cores that the process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


# --- errors ----------------------------------------------------------------------------------------------------------


def _truth(cls: str, scenes: Scenes, k: int) -> np.ndarray:
    return reference.image(SIMULATION.camera, cls, scenes, k, TRUTH_RAYS)


def truths(cls: str, scenes: Scenes, chains: Scenes | None, count: int, pool: ProcessPoolExecutor) -> dict:
    """The truth of the first images, [count, pixels, pixels], of the line and of its chain of points."""
    wanted = {"line": (cls, scenes[:count])} | ({"chain": ("cdm", chains[:count])} if chains else {})
    jobs = {name: [pool.submit(_truth, *given, k) for k in range(count)] for name, given in wanted.items()}
    return {name: np.stack([job.result() for job in own]) for name, own in jobs.items()}


def error(images: np.ndarray, truth: np.ndarray, scenes: Scenes) -> tuple[float, float]:
    """The worst pixel's error in units of its noise, the median and the largest over images."""
    q = scenes[: len(truth)].lens
    sigma = cameras.noise_sigma(
        truth, *(c[:, None, None] for c in (q["exposure_s"], cameras.sky(SIMULATION.camera, q)))
    )
    worst = np.max(np.abs(images - truth) / sigma, axis=(1, 2))
    return float(np.median(worst)), float(np.max(worst))


# --- competitors -----------------------------------------------------------------------------------------------------


def end_to_end(cls: str, rendered, folder: Path) -> Callable[[Scenes], np.ndarray]:
    """Ours from names to a shard on disk; it draws its own scenes, the same ones."""
    simulation = SIMULATION.only(cls)

    def call(scenes: Scenes) -> np.ndarray:
        indices = np.arange(len(scenes.lens["area"]))
        simulated = simulate_images(simulation, rendered, cls=cls, indices=indices, **NAMES)
        shards.write(folder / "shard.h5", shards.Shard(simulated.arrays(indices), {"class": cls}))
        return simulated.rendered["image"]

    return call


def entries(cls: str, scenes: Scenes, chains: Scenes | None, folder: Path, compiled: bool) -> list[Entry]:
    """All competitors of a class, the plain loop first."""
    camera, kernel = SIMULATION.camera, cameras.psf_kernels(SIMULATION.camera, scenes.lens)[0]
    rendered, pointed = render.renderer(camera, cls), chains or scenes
    found = [
        Entry("PyAutoLens loop", "8", peers.pyautolens(camera, cls, kernel, 8, objects=False), scenes, "line", 8, [])
    ]
    if cls != "smooth":
        loop = peers.pyautolens(camera, cls, kernel, 8, objects=True)
        found.append(Entry("PyAutoLens loop, PointMass objects", "8", loop, pointed, "chain", 4, []))
    found.append(
        Entry("oddlens, noise and HDF5 included", "2-72", end_to_end(cls, rendered, folder), scenes, "line", 256, [])
    )
    found.append(Entry("oddlens, noise-free", "2-72", lambda s: rendered(s)["image"], scenes, "line", 256, []))
    for rays in (4, 8, 10):
        found.append(
            Entry("lenstronomy, numba", str(rays), peers.lenstronomy(camera, kernel, rays), pointed, "chain", 4, [])
        )
    for flag, counts in ((False, (4, 8)), (True, (4, 6, 8, 10))):
        for rays in counts if compiled or not flag else ():
            call, batch = peers.caustics(camera, kernel, rays, pointed, flag)
            name = "caustics, torch.compile" if flag else "caustics, torch.vmap"
            found.append(Entry(name, str(rays), call, pointed, "chain", 4 * batch if flag else max(2, batch), []))
    return found


def measure(found: list[Entry], truth: dict, rounds: int) -> None:
    """Fill in errors, which warms up, then times: each round takes all competitors in turn."""
    for entry in found:
        right = truth.get(entry.truth, truth["line"])
        try:
            entry.call(entry.scenes[: entry.timed])
            entry.error = error(
                entry.call(entry.scenes[: max(entry.timed, len(right))])[: len(right)], right, entry.scenes
            )
        except Exception as failure:  # no compiler for torch.compile, say: the others go on
            entry.name += f" FAILED: {type(failure).__name__}"
            entry.timed = 0
    for _ in range(rounds):
        for entry in found:
            if entry.timed:
                start = time.process_time()
                entry.call(entry.scenes[: entry.timed])
                entry.milliseconds.append((time.process_time() - start) * 1e3 / entry.timed)


def table(cls: str, found: list[Entry]) -> None:
    """A line per competitor; ratios are medians over rounds."""
    loop = found[0].milliseconds
    print(f"\n{cls:36} rays/side  core-ms  images/s/core  x loop   error in noise: median  worst")
    for entry in found:
        if not entry.milliseconds:
            print(f"  {entry.name:34} {entry.rays:>9}")
            continue
        took = statistics.median(entry.milliseconds)
        ratio = statistics.median(a / b for a, b in zip(loop, entry.milliseconds, strict=True))
        print(
            f"  {entry.name:34} {entry.rays:>9} {took:8.2f} {1e3 / took:14.0f} {ratio:7.1f}"
            f" {entry.error[0]:24.4f} {entry.error[1]:6.3f}"
        )
    _verdict(found)


def _verdict(found: list[Entry]) -> None:
    """Ours beside the fastest of those whose median error is as small, or up to ALIKE times ours: in their favour."""
    full, clean = (next(e for e in found if e.name.startswith(f"oddlens, {n}")) for n in ("noise and", "noise-free"))
    peer = [e for e in found if e.milliseconds and not e.name.startswith(("oddlens", "PyAutoLens"))]
    equal = [e for e in peer if e.error[0] <= ALIKE * clean.error[0]]
    if equal:
        best = min(equal, key=lambda e: statistics.median(e.milliseconds))
        said = f"fastest peer that errs as little: {best.name} with {best.rays}"
    else:
        best = min(peer, key=lambda e: e.error[0])
        said = f"no peer errs as little; nearest: {best.name} with {best.rays}"
    took = statistics.median(best.milliseconds)
    ratios = [took / statistics.median(e.milliseconds) for e in (full, clean)]
    print(f"  {said}; ours is {ratios[0]:.1f} times as fast, noise-free {ratios[1]:.1f}")


# --- where the time goes, and the limit ------------------------------------------------------------------------------


def parts(cls: str, scenes: Scenes, folder: Path, rounds: int) -> dict[str, float]:
    """CPU milliseconds per image of drawing, rendering, noise, and making and writing the shard."""
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


def limits(drawn: dict[str, Scenes], folder: Path, rounds: int) -> None:
    """Operations per image, how fast they are done, and how fast they could be."""
    matrix, slow_rates = limit.matrix_rate(), limit.slow_rates()
    print(f"\nOne core: {matrix / 1e9:.0f} GFLOP/s in a product of float32 matrices; in the cache, 1e9 per s:", end=" ")
    print(", ".join(f"{name} {rate / 1e9:.2f}" for name, rate in slow_rates.items()))
    print("         core-ms per image:                |  per image, in rays:           |   of the      | limit reached")
    print("         draw    rays   noise   shard      |  rays   Mflop  Mslow   GFLOP/s |   matrix rate | core-ms")
    for cls, scenes in drawn.items():
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
    """Make images whenever asked how many, and answer with the seconds that it took, of wall and of CPU."""
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
    """Images per second of two pinned processes at once, over those of one; CPU time holds on a busy machine too."""
    if len(available) < 2:
        print("\nOne core only: how two processes scale cannot be measured here.")
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
        for asked, rates in ((pipes[:1], one), (pipes[1:], one), (pipes, two)):
            for pipe in asked:
                pipe.send(calls)
            rates.append(sum(calls * MAX_BATCH_IMAGES / pipe.recv() for pipe in asked))
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
    """Time the renderer on a GPU, if JAX was given one."""
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
    """Print all tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two images, no torch.compile: does it run at all?")
    quick = parser.parse_args().quick
    sizes, available = QUICK if quick else FULL, cores()
    if gpu():
        return
    drawn = {
        cls: scene.draw_scenes(SIMULATION.only(cls), cls=cls, indices=np.arange(MAX_BATCH_IMAGES), **NAMES)
        for cls in CLASSES
    }
    chains = {"vortex": peers.chained(drawn["vortex"])}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(available), mp_context=context) as pool:
        truth = {cls: truths(cls, drawn[cls], chains.get(cls), sizes["checked"], pool) for cls in CLASSES}
    scaling(sizes["bursts"], available)
    pin(available[0])
    with tempfile.TemporaryDirectory() as folder:
        for cls, scenes in drawn.items():
            found = entries(cls, scenes, chains.get(cls), Path(folder), compiled=not quick)
            measure(found, truth[cls], sizes["rounds"])
            table(cls, found)
        limits(drawn, Path(folder), sizes["rounds"])
    print("\nNo GPU was at hand for JAX: set JAX_PLATFORMS=cuda where there is one.")


if __name__ == "__main__":
    main()
