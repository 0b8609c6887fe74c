"""Write a published model as ONNX: from images to scores, for programs without Python or PyTorch.

Input `images` float32 [n, pixels, pixels], electrons / s, row 0 at the top; output `scores` float32 [n]; any n. The
metadata holds the card (`card`, JSON). Requires the packages onnx and onnxscript. A detector can be written if its
score is a fixed sequence of tensor operations; detectors that fit or call a library cannot.
"""

import copy
import json
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from oddlens.detectors.interface.base import Detector
from oddlens.files.artefacts import atomic_write
from oddlens.pretrained.published_models import PublishedModel

REQUIRED = ("onnx", "onnxscript")


class Constant(float):
    """A number in place of a tensor with one element, so that the tracer need not read its value from data."""

    def item(self) -> float:
        """The number."""
        return float(self)


class Scores(nn.Module):
    """Images [n, pixels, pixels] in electrons / s to scores [n]."""

    def __init__(self, detector: Detector):
        super().__init__()
        self.detector = copy.deepcopy(detector).eval()
        blur = self.detector.blur.item()
        del self.detector.blur
        self.detector.blur = Constant(blur)  # type: ignore[assignment]  # kernel sizes depend on it

    def forward(self, images: Tensor) -> Tensor:
        """Score images; findings, which are further columns, are dropped."""
        scores = self.detector.anomaly_score(images.unsqueeze(1) / self.detector.scale)
        return scores[:, 0] if self.detector.findings else scores


def write(path: Path, model: PublishedModel) -> str:
    """Write a model; returns a line to print.

    Raises:
        ModuleNotFoundError: if a package is missing.
        ValueError: if the detector cannot be written as ONNX.
    """
    try:
        import onnxscript  # noqa: F401  torch.onnx imports it, but its error does not say what to install
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}: ONNX export needs `pip install {' '.join(REQUIRED)}`") from error
    images = torch.rand(3, model.pixels, model.pixels) * float(model.detector.scale)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                Scores(model.detector),
                (images,),
                dynamo=True,
                verbose=False,
                input_names=["images"],
                output_names=["scores"],
                dynamic_shapes=({0: torch.export.Dim("n")},),
            )
    except Exception as error:  # the tracer raises errors of many types
        raise ValueError(
            f"{model.name} cannot be written as ONNX: its score is not a fixed sequence of tensor operations"
        ) from error
    assert program is not None
    program.model.metadata_props["card"] = json.dumps(model.card)
    with atomic_write(path) as temporary:
        program.save(temporary)
    return f"Written: {path}, images [n, {model.pixels}, {model.pixels}] to scores [n]"
