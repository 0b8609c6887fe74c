"""oddlens: strong lenses whose dark matter is odd, found without labels."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def load(name: str) -> Any:
    """A published model (`oddlens.pretrained.published_models.Pretrained`) by its name or file:
    `load("model_a/aae").score(images)`."""
    # By name: every module imports this package, and what it imports itself is in every fingerprint.
    return import_module("oddlens.pretrained.published_models").load(name)
