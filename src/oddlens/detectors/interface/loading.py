"""The detectors, one file each. The folder is the registry: the name of a file is the name of its detector."""

import importlib
from pathlib import Path
from typing import Any

from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.model_files import read_model


def detector(name: str) -> type[Detector]:
    """The class in the file of a detector.

    Raises:
        TypeError: the file defines no detector, or more than one.
    """
    module = importlib.import_module(f"oddlens.detectors.{name}")
    classes = [
        c
        for c in vars(module).values()
        if isinstance(c, type) and issubclass(c, Detector) and c.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise TypeError(f"{module.__file__} defines {len(classes)} subclasses of Detector; it must define one")
    return classes[0]


def load(path: Path | str, **scoring: Any) -> tuple[Detector, dict[str, Any]]:
    """A saved detector and its description.

    Args:
        scoring: new values of settings that only the score depends on (`Detector.scoring`).

    Raises:
        DamagedFile: the file is truncated, altered, or no detector.
        OtherFormat: the file was written by a version with another format.
        ValueError: `scoring` names a setting that the training depends on.
    """
    tensors, header = read_model(path)
    kind = detector(header["detector"])
    if unknown := scoring.keys() - set(kind.scoring):
        raise ValueError(
            f"the training of {header['detector']} depends on {sorted(unknown)}: these cannot be changed for a saved "
            f"model. Settings that can: {', '.join(kind.scoring) or 'none'}"
        )
    model = kind.build(header["pixels"], simulation=header.get("simulation"), **header["settings"] | scoring)
    model.load_state_dict(tensors)
    model.eval()
    return model, header["about"]
