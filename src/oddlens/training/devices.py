"""Devices, precision and PyTorch's global random generators."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache

import torch


def pick_device(device: str) -> str:
    """The device of a name: `auto` is `cuda` on a machine with a GPU, else `cpu`."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


@cache
def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a processor has instructions for matrix products in bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """The precision of a block: `float32`, `bfloat16`, or `auto`, which is bfloat16 if the processor multiplies it."""
    if precision == "bfloat16" or (precision == "auto" and multiplies_bfloat16(device)):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def deterministic() -> AbstractContextManager:
    """A block in which cuDNN uses deterministic algorithms."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)


@contextmanager
def global_generators(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed PyTorch's global generators inside a block and restore them afterwards.

    Initial weights and dropout use these generators.
    """
    gpu = torch.device(device).type == "cuda"
    with torch.random.fork_rng([torch.device(device)] if gpu else []):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed GPUs that are not forked
        if gpu:
            torch.cuda.manual_seed(seed)
        yield
