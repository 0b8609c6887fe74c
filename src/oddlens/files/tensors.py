"""Tensors in safetensors files with a JSON header and a checksum of both.

Models and checkpoints are such files. They are not pickles, so reading a file from anywhere runs no code.
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

from oddlens.files.artefacts import DamagedFile, atomic_write


def write_tensors(path: Path | str, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a header.

    Args:
        tensors: by name, on any device, of types that NumPy has.
        header: a mapping that JSON can represent; its order is kept.
    """
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_write(path) as temporary:
        # A single metadata entry, because the order in which safetensors writes several changes from run to run.
        temporary.write_bytes(save(on_cpu, {"oddlens": json.dumps({**header, "sha256": _checksum(on_cpu, header)})}))


def read_tensors(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors (on the CPU) and the header that `write_tensors` wrote.

    Raises:
        DamagedFile: if the file is truncated, altered, or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["oddlens"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  the file has no iterator
        agrees = header.pop("sha256") == _checksum(tensors, header)
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFile(path, f"it cannot be read as tensors with a checksum ({error})") from error
    if not agrees:
        raise DamagedFile(path, "its content does not agree with its checksum")
    return tensors, header


def _checksum(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    """SHA-256 of the names, types, shapes and bytes of the tensors, sorted by name, and of the header."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name].numpy())
        sha.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        sha.update(array.data if array.size else b"")
    sha.update(json.dumps(header, sort_keys=True).encode())
    return sha.hexdigest()
