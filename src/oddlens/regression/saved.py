"""Saved models of the regression."""

from pathlib import Path

from oddlens.detectors.interface.model_files import read_model
from oddlens.regression.network import Regressor
from oddlens.regression.targets import Targets


def load_regressor(path: Path | str) -> tuple[Regressor, Targets]:
    """A saved model and its targets.

    Raises:
        DamagedFile: the file is truncated, altered, or no model.
        OtherFormat: the file was written by a version with another format.
    """
    tensors, header = read_model(path)
    model = Regressor.build(header["pixels"], **header["settings"])
    model.load_state_dict(tensors)
    return model.eval(), Targets.from_plain(header["about"]["targets"])
