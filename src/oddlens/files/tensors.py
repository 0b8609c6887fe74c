"""Tensors in files that can be trusted: safetensors with a header of JSON and a checksum of both, never a pickle.

Models and checkpoints are such files. They are data: reading one runs nothing, whoever wrote it.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from oddlens.files.artefacts import DamagedFile, replacing


def write_tensors(path: Path | str, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Tensors by name, from any device and of types that NumPy has, and a header that JSON can hold, its order kept."""
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        # One entry: safetensors writes several in an order that changes from run to run.
        temporary.write_bytes(save(held, {"oddlens": json.dumps({**header, "sha256": _checksum(held, header)})}))


def read_tensors(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_tensors` wrote, in the memory of the processor.

    Raises:
        DamagedFile: if it is truncated, altered, or something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["oddlens"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no iterator
        agrees = header.pop("sha256") == _checksum(tensors, header)
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFile(path, f"it cannot be read as tensors with a checksum ({error})") from error
    if not agrees:
        raise DamagedFile(path, "its content does not agree with its checksum")
    return tensors, header


def _checksum(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    """SHA-256 over names, types, shapes and bytes of tensors, in the order of their names, and over the header."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name].numpy())
        sha.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        sha.update(array.data if array.size else b"")
    sha.update(json.dumps(header, sort_keys=True).encode())
    return sha.hexdigest()
