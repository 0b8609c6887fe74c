"""Residuals of a lens fit, the significance of a perturber at each position, and the smallest detectable mass."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from oddlens.files.artefacts import read_arrays
from oddlens.results.figures.style import DIFFERENCE_CMAP, IMAGE_CMAP, MAP_CMAP, message_figure, plt
from oddlens.results.tables.findings import DETECTION_SIGMA

RESIDUAL_SIGMA = 4.0
"""The range of the colour scale of residuals, in standard deviations of the noise."""


def mass_sensitivity_panels(examples: Mapping[str, Path | str], title: str) -> Figure:
    """Test images with the fit residual, the perturber significance and the smallest detectable mass at each position.

    The panels are those of the first row that fits masses. A cross is the true position of the heaviest perturber, a
    contour encloses positions where a perturber is detected.

    Args:
        examples: the file of examples of each row, best first.
        title: of the figure.
    """
    loaded = ((*read_arrays(path),) for path in examples.values())
    arrays, about = next((found for found in loaded if "heaviest_position" in found[0]), ({}, {}))
    if not arrays:
        return message_figure("No row of this study estimates the mass of perturbers.")
    classes, count = about["classes"].split(","), arrays["images"].shape[1]
    known = np.isfinite(arrays["images"]).all(axis=(2, 3))
    lines = [(c, k) for k in range(count) for c in range(len(classes)) if known[c, k]]
    figure, axes = plt.subplots(len(lines), 4, figsize=(7.2, 1.6 * len(lines) + 0.4), squeeze=False)
    half = arrays["images"].shape[-1] / 2
    view = {"extent": (-half, half, -half, half)}
    for line, example in zip(axes, lines, strict=True):
        for axis, (name, (maps, look)) in zip(line, _panels(arrays).items(), strict=True):
            shown = axis.imshow(maps[example], **look, **view)
            axis.set(xticks=[], yticks=[])
            if axis in axes[0]:
                axis.set_title(name, fontsize=8)
            if name != "image":
                figure.colorbar(shown, ax=axis, fraction=0.046, pad=0.02).ax.tick_params(labelsize=6)
        line[0].set_ylabel(f"{classes[example[0]]}, {example[1]}")
        y, x = arrays["heaviest_position"][example]
        if arrays["scan"][example].max() > DETECTION_SIGMA:
            line[2].contour(arrays["scan"][example][::-1], [DETECTION_SIGMA], colors="w", linewidths=0.8, **view)
        for axis in line[1:3]:
            axis.plot(x, y, "+", color="k" if axis is line[1] else "c", ms=7, mew=1.2)
            axis.set(xlim=(-half, half), ylim=(-half, half))
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(pad=0.4, rect=(0, 0, 1, 0.97))
    return figure


def _panels(arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    """Pixels of all examples by the title of the panel, and keywords of `imshow`."""
    msun = "min_detectable_msun" in arrays
    mass = np.log10(arrays["min_detectable_msun" if msun else "min_detectable_arcsec2"])
    unit = "mass [log10 M☉]" if msun else "θ² of a mass [log10 ″²]"
    low, high = np.nanquantile(mass, [0, 0.9])
    top = max(DETECTION_SIGMA + 1, np.nanquantile(arrays["scan"], 0.999))
    residual = {"cmap": DIFFERENCE_CMAP, "vmin": -RESIDUAL_SIGMA, "vmax": RESIDUAL_SIGMA}
    return {
        "image": (arrays["images"], {"cmap": IMAGE_CMAP, "vmin": 0, "vmax": np.nanmax(arrays["images"])}),
        "residual [σ]": (arrays["residual"], residual),
        "perturber significance [σ]": (arrays["scan"], {"cmap": MAP_CMAP, "vmin": 0, "vmax": top}),
        f"smallest detectable\n{unit}": (mass, {"cmap": MAP_CMAP + "_r", "vmin": low, "vmax": high}),
    }
