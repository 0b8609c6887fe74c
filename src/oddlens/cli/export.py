"""Write a published model as ONNX: images in electrons / s to scores, for programs without Python or PyTorch."""

import argparse

from oddlens.cli.outputs import output_file

HELP = "write a published model as ONNX"
EXAMPLES = ("oddlens export aae.onnx --model model_a/aae",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens export`."""
    parser.add_argument("--model", required=True, metavar="NAME", help="DATASET/DETECTOR, or a .safetensors file")
    parser.add_argument("file", type=output_file, help="the ONNX file to write")


def run(arguments: argparse.Namespace) -> int:
    """Write the model."""
    from oddlens.pretrained import onnx_export, published_models

    print(onnx_export.write(arguments.file, published_models.load(arguments.model)))
    return 0
