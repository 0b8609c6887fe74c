"""Figures of real lenses: the frame, the matched image, what detectors make of it, and its scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oddlens.observations.lens_light import subtract_lens_light
from oddlens.observations.real_lenses import RealLens
from oddlens.observations.simulated_set import SimulatedSet
from oddlens.results.figures import style
from oddlens.statistics.false_alarm import one_in

MAX_ROWS = 8
"""The number of rows whose percentiles are listed."""


@dataclass(frozen=True)
class Panel:
    """An image of a figure."""

    title: str
    image: np.ndarray
    low: float
    high: float
    cmap: Any = style.IMAGE_CMAP


def derived_panel(title: str, kind: str, image: np.ndarray, brightness: float) -> Panel:
    """The panel of an image that a detector derived: a reconstruction (`image`), a `residual`, or a `map`.

    Args:
        brightness: the largest value of the matched image.
    """
    if kind == "residual":
        return Panel(title, image, -brightness / 4, brightness / 4, style.DIFFERENCE_CMAP)
    if kind == "map":
        low, high = min(0.0, image.min()), max(5.0, np.percentile(image, 99.5))
        return Panel(f"{title} to {high:.0f}", image, low, high, style.MAP_CMAP)
    return Panel(title, image, 0.0, brightness)


def real_lens_figure(lens: RealLens, simulated: SimulatedSet, derived: Sequence[Panel], text: str) -> Figure:
    """The frame, the frame without lens light, the matched image, a simulated image, derived panels, and a text."""
    panels = [*_frame_panels(lens, simulated), *derived]
    figure, axes = style.plt.subplots(1, len(panels) + 1, figsize=(2 * len(panels) + 2.4, 2.2))
    for axis, panel in zip(axes, panels, strict=False):
        axis.imshow(panel.image, cmap=panel.cmap, vmin=panel.low, vmax=panel.high)
        axis.set_title(panel.title, fontsize=8)
    axes[-1].text(0, 1, text, fontsize=7.5, va="top", transform=axes[-1].transAxes, linespacing=1.5)
    for axis in axes:
        axis.set_axis_off()
    figure.tight_layout(pad=0.4)
    return figure


def _frame_panels(lens: RealLens, simulated: SimulatedSet) -> list[Panel]:
    target, matched, frame = simulated.target, lens.matched, lens.matched.frame
    half = target.camera.pixels * target.camera.pixel_scale_arcsec / 2 / frame.pixel_scale_arcsec
    view = tuple(slice(max(0, round(c - half)), round(c + half) + 1) for c in matched.centre)
    raw = np.arcsinh(frame.image / (3 * np.median(frame.sigma[~frame.masked])))[view]
    arcs = subtract_lens_light(frame, matched.centre, matched.lens_light)[view]
    return [
        Panel(f"{lens.label} (asinh)", raw, 0.0, np.where(frame.masked[view], 0, raw).max()),
        Panel("masked, lens light subtracted", arcs, 0.0, np.percentile(arcs, 99.8)),
        Panel(f"matched to {target.dataset}", matched.image, 0.0, matched.image.max()),
        Panel(f"simulated, {target.dataset}", simulated.example, 0.0, simulated.example.max()),
    ]


def percentiles_text(scores: pd.DataFrame, best_rows: Sequence[str]) -> str:
    """The percentiles of one lens by the best rows, means over seeds.

    Args:
        scores: the lines of the lens in `real.csv`.
        best_rows: in the order in which they are listed.
    """
    means = scores.groupby("detector")[["percentile", "false_alarm_probability"]].mean()
    shown = means.loc[[row for row in best_rows if row in means.index][:MAX_ROWS]]
    lines = [f"{row}: {percentile:.1f} ({one_in(probability)})" for row, percentile, probability in shown.itertuples()]
    return "\n".join(["percentile among smooth lenses:", *lines])
