"""Score the mini set of published models again and compare with the scores in their cards."""

import argparse

HELP = "check published models against their cards"
EXAMPLES = ("oddlens verify", "oddlens verify model_a/aae model_b/aae")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens verify`."""
    parser.add_argument("model", nargs="*", help="DATASET/DETECTOR, or a .safetensors file; default: all")


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each model; the status is 1 if any model does not reproduce its scores."""
    from oddlens.pretrained import published_models

    names = arguments.model or published_models.names()
    if not names:
        raise FileNotFoundError(f"there are no models in {published_models.FOLDER}")
    n_wrong = 0
    for name in names:
        try:
            description, agrees = published_models.verify(name)
        except (OSError, ValueError) as error:
            description, agrees = f"{name}: {error}", False
        print(f"{'ok   ' if agrees else 'WRONG'}  {description}")
        n_wrong += not agrees
    return int(n_wrong > 0)
