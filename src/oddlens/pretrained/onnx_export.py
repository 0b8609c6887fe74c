"""A published model as ONNX: the whole way from images to scores, for programs without Python or PyTorch.

Input `images` float32 [n, pixels, pixels], electrons / s, row 0 the top; output `scores` float32 [n]; any n. The card
is in the metadata (`card`, JSON). Needs the packages onnx and onnxscript. A detector whose score is no fixed order of
operations on tensors (a fit, a library's algorithm) cannot be written.
"""

import copy
import json
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from oddlens.detectors.interface.base import Detector
from oddlens.files.artefacts import replacing
from oddlens.pretrained.published_models import Pretrained

NEEDED = ("onnx", "onnxscript")


class Known(float):
    """A number where detectors expect a tensor of one: the tracer must not wait for the data to learn it."""

    def item(self) -> float:
        """The number."""
        return float(self)


class Scores(nn.Module):
    """Images in the user's units to scores."""

    def __init__(self, detector: Detector):
        super().__init__()
        self.detector = copy.deepcopy(detector).eval()
        blur = self.detector.blur.item()
        del self.detector.blur
        self.detector.blur = Known(blur)  # type: ignore[assignment]  # sizes of kernels follow from it

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        found = self.detector.anomaly(images.unsqueeze(1) / self.detector.scale)
        return found[:, 0] if self.detector.findings else found


def write(path: Path, model: Pretrained) -> str:
    """Write a model; what there is to say.

    Raises:
        ImportError: if a package is missing.
        ValueError: if the detector cannot be written.
    """
    try:
        import onnxscript  # noqa: F401  torch imports it, and tells less clearly that it is not there
    except ImportError as error:
        raise ImportError(f"{error}: pip install {' '.join(NEEDED)}, to write ONNX") from error
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
    except Exception as error:  # the tracer raises whatever it stumbles over
        raise ValueError(
            f"{model.name} cannot be written as ONNX: its score is no fixed sequence of tensor operations"
        ) from error
    assert program is not None
    program.model.metadata_props["card"] = json.dumps(model.card)
    with replacing(path) as temporary:
        program.save(temporary)
    return f"Written: {path}, images [n, {model.pixels}, {model.pixels}] to scores [n]"
