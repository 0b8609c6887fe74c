"""Saved detectors: safetensors files whose header holds what is needed to build the detector."""

from pathlib import Path
from typing import Any

from torch import Tensor

from oddlens.detectors.interface.base import Detector
from oddlens.files.tensors import read_tensors, write_tensors

FORMAT = 6
"""The version of saved models. It is raised when the names or the meaning of header keys or tensors change."""


class OtherFormat(ValueError):
    """A saved detector of another version of this package."""


def save_model(model: Detector, path: Path | str, **about: Any) -> None:
    """Write a detector as safetensors.

    Args:
        about: a description of the model, kept in the header as JSON.
    """
    header = {
        "format": FORMAT,
        "detector": type(model).__module__.rpartition(".")[2],
        "pixels": model.pixels,
        "settings": model.settings,
        "simulation": model.simulation,
        "about": about,
    }
    write_tensors(path, model.state_dict(), header)


def read_model(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the header of a saved detector.

    Raises:
        DamagedFile: the file is truncated, altered, or no detector.
        OtherFormat: the file was written by a version with another format.
    """
    tensors, header = read_tensors(path)
    if header.get("format") != FORMAT:
        found = header.get("format", 1)
        raise OtherFormat(f"{path} is a model of format {found}; this version reads format {FORMAT}: train it again")
    return tensors, header
