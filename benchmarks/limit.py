"""The time that the operations of the renderer would take at the best rates of one core.

The operations of each ray are counted in the program that JAX traces, so that the count follows the formulas. The limit
assumes that additions and multiplications run as fast as in a product of large matrices, and each division, root,
exponential, ... as fast as XLA computes it on an array in the cache. No renderer can reach it: a product of matrices
fuses each addition with a multiplication and keeps its numbers in registers.
"""

import time
from collections import Counter
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from oddlens.lensing import ray_tracing, render, substructure_classes
from oddlens.lensing.scene import Scenes
from oddlens.lensing.simulation import Camera

N_TRACED_RAYS, SLOTS_PER_BLOCK = 1000, 8
"""Rays of the traced program, and slots of subhalos in a block of its loop (`slots.accumulate`)."""
SLOW: dict[str, Callable] = {
    "div": lambda x: 1.3 / x,
    "sqrt": lambda x: jnp.sqrt(x),
    "exp": lambda x: jnp.exp(-x),
    "log": lambda x: jnp.log(x + 1.5),
    "pow": lambda x: jnp.power(x, 0.37),
    "atan2": lambda x: jnp.arctan2(x, x + 0.5),
}
"""Operations that are timed separately, as functions that map (0, 2) into itself."""
FREE = ("broadcast_in_dim", "reshape", "squeeze", "convert_element_type", "dynamic_slice", "slice", "copy", "pad")


def _counted(jaxpr, size: int) -> Counter:
    """Operations on arrays of `size` elements, per element. The body of a loop counts once, under `loop`."""
    found: Counter = Counter()
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        if name == "while":
            found["loop"] += _counted(equation.params["body_jaxpr"].jaxpr, size).total()
            found["loop_div"] += _counted(equation.params["body_jaxpr"].jaxpr, size)["div"]
        elif (inner := equation.params.get("jaxpr")) is not None:
            found += _counted(getattr(inner, "jaxpr", inner), size)
        elif any(v.aval.size == size for v in equation.outvars) and name not in FREE:
            power = equation.params.get("y", 1) if name == "integer_pow" else 0
            found["mul" if name in ("square", "integer_pow") else name] += max(1, abs(power) - 1)
    return found


def per_ray(cls: str, scenes: Scenes) -> tuple[Counter, Counter]:
    """Operations per ray, and per ray and block of `SLOTS_PER_BLOCK` subhalos."""
    one = jax.tree.map(lambda column: jnp.asarray(column[0], jnp.float32), ray_tracing.parameters(scenes))
    ray = jnp.linspace(0.1, 1, N_TRACED_RAYS)
    module = substructure_classes.module(cls)
    traced = jax.make_jaxpr(lambda y, x: ray_tracing.brightness(one, module, y, x, jnp))(ray, ray + 1)
    counted = _counted(traced.jaxpr, N_TRACED_RAYS)
    loop = Counter({"div": counted.pop("loop_div", 0)})
    loop["add"] = counted.pop("loop", 0) - loop["div"]
    return counted, loop


def rays(camera: Camera, levels: np.ndarray) -> np.ndarray:
    """Rays traced per image, [n], from the final rays per side of each pixel. Refined pixels are traced in blocks."""
    total = np.full(len(levels), levels[0].size * camera.over_sampling**2)
    for factor, block in render.REFINEMENTS:
        side = camera.over_sampling * factor
        pixels = np.sum(levels >= side, axis=(1, 2))
        total += -(-pixels // block) * block * side**2
    return total


def operations(camera: Camera, cls: str, scenes: Scenes, levels: np.ndarray) -> Counter:
    """Mean operations per image: of rays, of their second differences and pooling (20 per ray), and of the
    convolution."""
    count, (each, loop) = rays(camera, levels), per_ray(cls, scenes)
    area = scenes.substructure.get("subhalo_area", np.zeros((len(count), 0)))
    used = np.max(np.where(area > 0, np.arange(1, area.shape[1] + 1), 0), axis=1, initial=0)
    result = Counter({name: number * float(np.mean(count)) for name, number in each.items()})
    for name, number in loop.items():
        result[name] += number * float(np.mean(count * -(-used // SLOTS_PER_BLOCK)))
    n = render.padded_pixels(camera) ** 2
    result["add"] += 20 * float(np.mean(count)) + 2 * 2.5 * n * np.log2(n) + 6 * n / 2
    return result


# --- the core --------------------------------------------------------------------------------------------------------


def fastest(call: Callable, rounds: int = 25) -> float:
    """CPU seconds of the fastest of some calls, after one that is not timed."""
    call()
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        spent.append(time.process_time() - start)
    return min(spent)


def matrix_rate(side: int = 1024) -> float:
    """Floating-point operations per second of a product of float32 matrices."""
    a = np.random.default_rng(1).random((side, side), np.float32)
    return 2 * side**3 / fastest(lambda: a @ a)


def slow_rates(size: int = 4096, repeats: int = 500) -> dict[str, float]:
    """Elements per second of the operations in `SLOW`, on arrays in the cache."""
    x, rates = jnp.linspace(0.1, 1.9, size), {}
    for name, function in SLOW.items():
        loop = jax.jit(lambda x, f=function: jax.lax.fori_loop(0, repeats, lambda _, v: f(v), x))
        rates[name] = size * repeats / fastest(lambda loop=loop: loop(x).block_until_ready())
    return rates


def split(counted: Counter) -> tuple[float, dict[str, float]]:
    """The number of fast operations, and of slow ones by name."""
    same = {"rsqrt": "sqrt", "atan": "atan2", "sin": "exp", "cos": "exp", "log1p": "log", "expm1": "exp"}
    slow: Counter = Counter()
    for name, number in counted.items():
        slow[same.get(name, name)] += number
    return sum(n for name, n in slow.items() if name not in SLOW), {name: slow[name] for name in SLOW if slow[name]}
