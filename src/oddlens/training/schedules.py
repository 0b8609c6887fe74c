"""Learning rates as functions of progress."""

import math
from collections.abc import Callable

Rate = Callable[[float], float]
"""A learning rate as a function of progress in [0, 1]."""


def cosine(peak: float, warm_up: float = 0.05, start: float = 0.01) -> Rate:
    """A learning rate that rises from `start` * `peak` to `peak` and falls to zero, both along half a cosine."""

    def rate(progress: float) -> float:
        if progress < warm_up:
            return peak * (1 - (1 - start) * 0.5 * (1 + math.cos(math.pi * progress / warm_up)))
        return peak * 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))

    return rate


def linear(peak: float, warm_up: float = 0.05, decay: float = 0.9) -> Rate:
    """A learning rate that rises linearly to `peak`, and falls linearly to zero in the last part, `decay`."""

    def rate(progress: float) -> float:
        return peak * min(1.0, progress / warm_up, (1 - progress) / decay)

    return rate


def one_cycle(peak: float) -> Rate:
    """PyTorch's version of the learning rate of Smith & Topin 2017 (arXiv:1708.07120): up in the first 30 %, then down.

    PyTorch's scheduler also changes the momentum, from 0.95 to 0.85 and back. Here it stays 0.9.
    """
    return cosine(peak, warm_up=0.3, start=0.04)


def constant(peak: float) -> Rate:
    """A constant learning rate."""
    return lambda progress: peak


SCHEDULES: dict[str, Callable[[float], Rate]] = {
    "linear": linear,
    "cosine": cosine,
    "one_cycle": one_cycle,
    "constant": constant,
}
