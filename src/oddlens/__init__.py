"""oddlens: find strong gravitational lenses whose dark matter is anomalous, without labels."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def load(name: str) -> Any:
    """A published model (`oddlens.pretrained.published_models.PublishedModel`) by its name or file.

    `load("model_a/aae").score(images)`
    """
    # Imported by name: every module imports this package, so its own imports would be in every fingerprint.
    return import_module("oddlens.pretrained.published_models").load(name)


def fit(image: Any, pixel_scale_arcsec: float | None = None, **given: Any) -> Any:
    """The best smooth lens of an image, and a search for a mass that it lacks (`oddlens.stages.fit_frames.fit_image`).

    `fit("lens.fits", redshifts=(0.22, 0.61)).numbers["lens"]["einstein_radius"]`
    """
    return import_module("oddlens.stages.fit_frames").fit_image(image, pixel_scale_arcsec, **given)
