"""Images per second of `lensfit`, and the operations of a fit and a scan: `make bench-fit`.

Operations are counted as PyTorch dispatches them. Products of matrices are counted by their floating-point operations,
all others by the numbers that they write: fast ones (sums, products) and slow ones (powers, roots, logarithms)
separately. The limit is the time of these operations at the rates of this processor, which are measured on arrays in
its cache.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from oddlens.config.presets import preset_simulation
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.image_module import KnownCamera
from oddlens.detectors.lensfit import LensFit
from oddlens.stages.simulate import simulate

SLOW = {"exp", "log", "log1p", "pow", "sqrt", "rsqrt", "sin", "cos", "atan", "atan2", "special_log_ndtr"}
VIEWS = {"view", "expand", "permute", "transpose", "slice", "select", "unsqueeze", "unbind", "t", "split", "alias"}
VIEWS |= {"as_strided", "detach", "squeeze", "_unsafe_view", "lift_fresh"}
CACHED_NUMBERS = 16_384
"""Numbers in the array on which fast and slow operations are timed."""
CAMERA = KnownCamera(1e-3, 4e-5, 4.2)
"""The camera of models A and B at their usual exposure, in electrons / s; the width of the PSF in pixels."""


class OperationCounter(TorchDispatchMode):
    """Counts the numbers that operations other than products of matrices write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.__name__.partition(".")[0].rstrip("_")
        if name not in VIEWS and not {"mm", "bmm"} & {name}:
            kind = "slow" if name in SLOW else "fast"
            outputs = result if isinstance(result, tuple) else (result,)
            self.written[kind] += sum(output.numel() for output in outputs if isinstance(output, Tensor))
        return result


def seconds(work: Callable[[], object], min_total: float = 0.3, calls: int = 5) -> float:
    """The median time of a call, over at least so many calls and `min_total` seconds."""
    work()
    times: list[float] = []
    while sum(times) < min_total or len(times) < calls:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def rates() -> dict[str, float]:
    """Operations per second of this processor: in products of matrices, and fast and slow ones."""
    a, x = torch.randn(1024, 1024), torch.rand(CACHED_NUMBERS) + 1
    return {
        "matrices": 2 * 1024**3 / seconds(lambda: a @ a),
        "fast": CACHED_NUMBERS / seconds(lambda: x.mul_(1.0)),
        "slow": CACHED_NUMBERS / seconds(lambda: x.exp()),
    }


def trained(preset: str, lenses: int, each: int, **how: Any) -> tuple[LensFit, np.ndarray]:
    """A trained detector, and images of its simulation, so many smooth ones and with subhalos each."""
    simulation = preset_simulation(preset)
    shards = [
        simulate(simulation, seed=1, dataset=preset, pool="test", cls=cls, first=0, count=each)
        for cls in ("smooth", "cdm")
    ]
    images = np.concatenate([shard.images for shard in shards])
    model = loading.detector("lensfit").build(32, seed=1, simulation=simulation.plain(), lenses=lenses, **how)
    assert isinstance(model, LensFit)
    training = {"epochs": 8, "batch_size": 128}
    model.fit(np.resize(images, (lenses, 32, 32)), seed=1, camera=CAMERA, training=training)
    return model.eval(), images


@torch.no_grad()
def measure(preset: str, model: LensFit, images: np.ndarray, speed: dict[str, float]) -> None:
    """Print a line of the table."""
    scaled = torch.from_numpy(images)[:, None] / model.scale
    fitted = model.fit_lenses(scaled)

    def scan() -> None:
        for start in range(0, len(scaled), model.batch_size):
            own = slice(start, start + model.batch_size)
            model.scan_residuals(scaled[own], fitted.of(own))

    fit_time, scan_time = (seconds(work, calls=3) / len(scaled) for work in (lambda: model.fit_lenses(scaled), scan))
    with OperationCounter() as count, FlopCounterMode(display=False) as matrices:
        model.fit_lenses(scaled)
        scan()
    work = {"matrices": matrices.get_total_flops(), **count.written}
    limit = sum(number / speed[kind] for kind, number in work.items()) / len(scaled)
    each = (f"{work[kind] / len(scaled) / 1e6:,.1f}" for kind in speed)
    total = fit_time + scan_time
    columns = [preset, f"{1e3 * fit_time:.1f}", f"{fitted.steps.float().mean():.1f}", f"{1e3 * scan_time:.1f}"]
    columns += [f"{1 / total:,.1f}", *each, f"{1e3 * limit:.1f}", f"{total / limit:.1f}"]
    print(f"| {' | '.join(columns)} |", flush=True)


def main() -> None:
    """Measure models A, B and C with one thread."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="train on few lenses, to test that the benchmark runs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    speed = rates()
    print(
        "this processor, one thread: "
        + ", ".join(f"{kind} {rate / 1e9:.1f} G/s" for kind, rate in speed.items())
        + "\n"
    )
    columns = ["data set", "fit [ms]", "steps", "scan [ms]", "images/s", *(f"{kind} [M]" for kind in speed)]
    columns += ["limit [ms]", "times the limit"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    lenses, each = (512, 8) if arguments.quick else (8192, 64)
    for preset in ("model_a", "model_b", "model_c"):
        measure(preset, *trained(preset, lenses, each), speed)


if __name__ == "__main__":
    main()
