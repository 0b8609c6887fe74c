"""The figure of a follow-up fit: the image, the best lens of each model, their residuals, the position of the mass."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oddlens.lensing.evidence import ModelFit, ObservedImage
from oddlens.results.figures import style

RESIDUAL_SIGMA = 4.0
"""The colour scale of residuals ends at this number of standard deviations of the noise."""
N_BINS = 24
"""Bins along a side of the posterior of the position."""


def follow_up_figure(observed: ObservedImage, smooth: ModelFit, with_mass: ModelFit, line: Mapping[str, Any]) -> Figure:
    """The figure of one image.

    Args:
        line: the line of the image in the table (`oddlens.results.tables.follow_up`).
    """
    half = len(observed.image) * observed.pixel_scale_arcsec / 2
    view: dict[str, Any] = {"extent": (-half, half, -half, half)}
    panels = _panels(observed, {"smooth": smooth, "with a mass": with_mass})
    figure, axes = style.plt.subplots(1, len(panels) + 1, figsize=(2.05 * (len(panels) + 1), 2.5))
    for axis, (title, image, colours) in zip(axes, panels, strict=False):
        axis.imshow(image, **colours, **view)
        axis.set_title(title, fontsize=8)
    _draw_position(axes[-1], with_mass, half, view)
    for axis in (axes[2], axes[-1]):
        colour = "k" if axis is axes[2] else "c"
        axis.plot(line["true_x_arcsec"], line["true_y_arcsec"], "+", color=colour, ms=7, mew=0.8)
    for axis in axes:
        axis.set(xticks=[], yticks=[], xlim=(-half, half), ylim=(-half, half), aspect="equal")
    bayes = f"{line['log_bayes']:+.1f} ± {line['log_bayes_error']:.1f}".replace("-", "−")
    figure.suptitle(f"{line['id']}: ln B = {bayes}", fontsize=10)
    return figure


def _panels(observed: ObservedImage, fits: Mapping[str, ModelFit]) -> list[tuple[str, np.ndarray, dict[str, Any]]]:
    """Titles, images and colours: the observed image, and for each fit its best lens and its residuals."""
    light = {"cmap": style.IMAGE_CMAP, "vmin": 0.0, "vmax": float(observed.image.max())}
    difference = {"cmap": style.DIFFERENCE_CMAP, "vmin": -RESIDUAL_SIGMA, "vmax": RESIDUAL_SIGMA}
    panels = [("observed", observed.image, light)]
    for name, fit in fits.items():
        residual = (observed.image - fit.image) / observed.sigma
        panels.append((f"best fit, {name}", fit.image, light))
        panels.append((f"residual [σ], χ² {np.square(residual).sum():.0f}", residual, difference))
    return panels


def _draw_position(axis: Axes, fit: ModelFit, half: float, view: Mapping[str, Any]) -> None:
    """The posterior of the position of the mass, with a contour of the lensed light."""
    y, x = (fit.posterior.points[:, fit.index("mass", name)] for name in ("y", "x"))
    edges = np.linspace(-half, half, 1 + N_BINS)
    axis.hist2d(x, y, bins=[edges, edges], weights=fit.posterior.weights, cmap=style.MAP_CMAP)
    axis.contour(fit.image[::-1], [fit.image.max() / 3], colors="w", linewidths=0.5, **view)
    axis.set_title("position of the mass", fontsize=8)
