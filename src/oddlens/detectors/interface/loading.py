"""The detectors, one file each. The folder is the registry: a file's name is the name of its detector."""

import importlib
from pathlib import Path
from typing import Any

from oddlens.detectors.interface.base import Detector, read_model


def detector(name: str) -> type[Detector]:
    """The class that the file of a detector defines."""
    module = importlib.import_module(f"oddlens.detectors.{name}")
    found = [
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, Detector) and c.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__file__} defines {len(found)} detectors; a file must define one")
    return found[0]


def load(path: Path | str, **scoring: Any) -> tuple[Detector, dict[str, Any]]:
    """A saved detector, and what was said about it when it was saved.

    Args:
        scoring: settings that only the score reads (`Detector.scoring`), if they are to be others than the saved ones.

    Raises:
        DamagedFile: if the file is truncated, altered, or no detector.
        OtherFormat: if another version of this package saved it.
    """
    tensors, header = read_model(path)
    kind = detector(header["detector"])
    if unknown := scoring.keys() - set(kind.scoring):
        raise ValueError(f"{header['detector']} reads {sorted(unknown)} when it is trained: that cannot be changed now")
    model = kind.build(header["pixels"], simulation=header.get("simulation"), **header["settings"] | scoring)
    model.load_state_dict(tensors)
    model.eval()
    return model, header["about"]
