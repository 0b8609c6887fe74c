"""What a step of a training costs: `python benchmarks/training_steps.py`.

For the default settings of each family and several sizes of images, on one core:

* images per second, of the second epoch on;
* where the time goes, by PyTorch's profiler: matrix products and convolutions, which are the network itself (their
  backward passes and those of Muon included), the other operations on tensors, and what is left: Python and the
  profiler itself.

Then several models of one shape are trained one after the other, and as one batch (`torch.func`), whose products are
batched and which calls Python once for all. This is what training the models of a grid at once would gain.
"""

import argparse
import copy
import statistics
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.profiler import ProfilerActivity, profile
from train import rings

from oddlens.detectors.interface import loading

FAMILIES = ("rbm", "dcae", "cvae", "aae", "infonce", "svdd", "pgan_se", "flow")
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::mkldnn", "aten::convolution", "conv")
BATCH, STEPS, MODELS = 160, 10, 4


def step_costs(family: str, pixels: int, steps: int) -> tuple[float, float, float]:
    """Images per second, and the parts of the time of products and of other operations."""
    images, ends = rings(BATCH * steps, pixels, seed=1), []

    def after(_epoch: object) -> None:
        ends.append(time.perf_counter())

    model = loading.detector(family).build(pixels, seed=1)
    training = {"epochs": 4, "batch_size": BATCH}
    with profile(activities=[ProfilerActivity.CPU]) as found:
        model.fit(images, seed=1, device="cpu", training={**training, "epochs": 2})
    events = [event for event in found.key_averages() if event.key.startswith("aten::")]
    total = sum(event.self_cpu_time_total for event in found.key_averages())
    products = sum(event.self_cpu_time_total for event in events if any(name in event.key for name in PRODUCTS))
    others = sum(event.self_cpu_time_total for event in events) - products
    loading.detector(family).build(pixels, seed=1).fit(images, seed=1, device="cpu", training=training, on_epoch=after)
    return BATCH * steps / statistics.median(np.diff(ends)), products / total, others / total


def loss(network: nn.Module, parameters: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor) -> Tensor:
    """The mean squared error of a network with given parameters."""
    return (functional_call(network, (parameters, buffers), (images,)) - images).square().mean()


def batched_gain(inputs: int, width: int, steps: int) -> float:
    """The time of gradients of `MODELS` dense autoencoders, one after the other, over that as one batch."""
    layers = [nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, inputs)]
    networks = [copy.deepcopy(nn.Sequential(*layers)) for _ in range(MODELS)]
    images = torch.randn(MODELS, BATCH, inputs)
    parameters, buffers = stack_module_state(networks)
    gradient = vmap(grad(lambda own, others, each: loss(networks[0], own, others, each)))

    def in_turn() -> None:
        for network, each in zip(networks, images, strict=True):
            torch.autograd.grad((network(each) - each).square().mean(), list(network.parameters()))

    times: dict[str, list[float]] = {"in turn": [], "batch": []}
    for _ in range(steps):
        for name, run in (("in turn", in_turn), ("batch", lambda: gradient(parameters, buffers, images))):
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return statistics.median(a / b for a, b in zip(*times.values(), strict=True))


def main() -> None:
    """Print a line for each family and size, and the gains of batches."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pixels", type=int, nargs="+", default=[32, 64, 150])
    parser.add_argument("--families", nargs="+", default=FAMILIES)
    parser.add_argument("--steps", type=int, default=STEPS, help="of an epoch")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| family | pixels | images/s | products | other operations | rest |\n|---|---|---|---|---|---|")
    for pixels in options.pixels:
        for family in options.families:
            rate, products, others = step_costs(family, pixels, options.steps)
            parts = " | ".join(f"{part:.0%}" for part in (products, others, 1 - products - others))
            print(f"| `{family}` | {pixels} x {pixels} | {rate:,.0f} | {parts} |", flush=True)
    print(f"\n{MODELS} autoencoders, time in turn over that as one batch:")
    for inputs, width in ((64, 64), (128, 128), (256, 256), (1024, 512)):
        print(f"{inputs} inputs, {width} units: {batched_gain(inputs, width, 5 * options.steps):.2f}", flush=True)


if __name__ == "__main__":
    main()
