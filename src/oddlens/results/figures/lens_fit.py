"""The fit of a real lens: its frame, the parts of the model, the residual, and the scan for a mass."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oddlens.observations.modelling.frame_result import FrameResult
from oddlens.results.figures.style import DIFFERENCE_CMAP, IMAGE_CMAP, MAP_CMAP, plt

RESIDUAL_SIGMA, DETECTION_SIGMA = 4.0, 5.0
MASS_COLOUR, CONTROL_COLOUR = "0.4", "tab:red"
VIEW_RADII = 2.0
"""Half the width of the panels, in Einstein radii."""


def lens_fit_figure(result: FrameResult) -> Figure:
    """Eight panels and a list of numbers."""
    figure, axes = plt.subplots(2, 5, figsize=(14, 5.6))
    _images(result, list(axes[0][:4]))
    _source(result, axes[1][0])
    _scan(result, axes[1][1], axes[1][2])
    _masses(result, axes[1][3])
    for axis in axes[:, 4]:
        axis.set_axis_off()
    axes[0][4].text(-0.1, 1, numbers_text(result), fontsize=7.5, va="top", linespacing=1.5)
    figure.suptitle(result.name, fontsize=11)
    figure.tight_layout(pad=0.5)
    return figure


def _extent(result: FrameResult, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Left, right, bottom and top edge of a frame, arcsec from the lens."""
    scale = result.numbers["frame"]["pixel_scale_arcsec"]
    row, column = result.numbers["frame"]["centre_row_column"]
    left, top = (-column - 0.5) * scale, (row + 0.5) * scale
    return left, left + shape[1] * scale, top - shape[0] * scale, top


def _images(result: FrameResult, axes: list[Axes]) -> None:
    """The frame, the arcs, their model, and the residual."""
    images, radius = result.images, result.numbers["lens"]["einstein_radius"]["value"]
    sigma = np.nanstd(images["residual"])
    arcs = images["image"] - images["lens_light"]
    top = np.nanmax(images["arcs"])
    residual: dict[str, Any] = {"cmap": DIFFERENCE_CMAP, "vmin": -RESIDUAL_SIGMA, "vmax": RESIDUAL_SIGMA}
    panels: list[tuple[str, np.ndarray, dict[str, Any]]] = [
        ("frame (asinh)", np.arcsinh(images["image"] / (3 * sigma)), {"cmap": IMAGE_CMAP}),
        ("lens light subtracted", arcs, {"cmap": IMAGE_CMAP, "vmin": -0.05 * top, "vmax": top}),
        ("model of the arcs", images["arcs"], {"cmap": IMAGE_CMAP, "vmin": -0.05 * top, "vmax": top}),
        ("residual [σ]", images["whitened_residual"], residual),
    ]
    for axis, (title, image, look) in zip(axes, panels, strict=True):
        axis.imshow(image, extent=_extent(result, image.shape), **look)
        _view(axis, title, VIEW_RADII * radius)


def _view(axis: Axes, title: str, half: float) -> None:
    axis.set_title(title, fontsize=8)
    axis.set(xlim=(-half, half), ylim=(-half, half))
    axis.tick_params(labelsize=6)


def _source(result: FrameResult, axis: Axes) -> None:
    """The source, in its plane."""
    frame = result.numbers["source"]
    axis.imshow(result.source, extent=(*frame["x_arcsec"], *frame["y_arcsec"]), cmap=IMAGE_CMAP)
    axis.set_title("source", fontsize=8)
    axis.tick_params(labelsize=6)


def _scan(result: FrameResult, significance: Axes, smallest: Axes) -> None:
    """Significance of a mass, and the smallest one that would have 5 sigma, at each position."""
    scan = result.scan
    step = scan.along[1] - scan.along[0]
    half = scan.along[-1] + step / 2
    view: dict[str, Any] = {"extent": (-half, half, -half, half)}
    top = max(DETECTION_SIGMA + 1, float(np.nanmax(np.abs(scan.significance))))
    shown = significance.imshow(scan.significance, cmap=DIFFERENCE_CMAP, vmin=-top, vmax=top, **view)
    _bar(shown, significance)
    per_area = result.numbers["scan"].get("msun_per_arcsec2")
    mass = np.log10(DETECTION_SIGMA * scan.area_sigma * (per_area or 1.0))
    low, high = np.quantile(mass, [0, 0.9])
    shown = smallest.imshow(mass, cmap=MAP_CMAP + "_r", vmin=low, vmax=high, **view)
    _bar(shown, smallest)
    unit = "mass [log10 M☉]" if per_area else "θ² of a mass [log10 ″²]"
    for axis, title in ((significance, "significance of a mass [σ]"), (smallest, f"5 σ {unit}")):
        _view(axis, title, half)
        for mass_fit in result.numbers["masses"]:
            axis.plot(mass_fit["x_arcsec"], mass_fit["y_arcsec"], "+", color="k", ms=7, mew=1.2)


def _bar(shown, axis: Axes) -> None:
    axis.figure.colorbar(shown, ax=axis, fraction=0.046, pad=0.02).ax.tick_params(labelsize=6)


def _masses(result: FrameResult, axis: Axes) -> None:
    """The gain in log evidence of each mass that was fitted, and of negative ones as controls."""
    masses, controls = result.numbers["masses"], result.numbers["controls"]
    gains = [mass["log_evidence_gain"] for mass in (*masses, *controls)]
    signs = ["+"] * len(masses) + ["−"] * len(controls)
    places = [
        f"{sign} ({mass['x_arcsec']:.2f}, {mass['y_arcsec']:.2f})″"
        for sign, mass in zip(signs, (*masses, *controls), strict=True)
    ]
    colours = [MASS_COLOUR if sign == "+" else CONTROL_COLOUR for sign in signs]
    axis.barh(range(len(gains)), gains, color=colours, height=0.5)
    axis.axvline(0, color="k", lw=0.8)
    axis.set_yticks(range(len(gains)), places, fontsize=7)
    axis.set_ylim(max(len(gains), 4) - 0.5, -0.5)
    axis.set_title("log evidence gained by a\npositive or negative mass", fontsize=8)
    axis.tick_params(labelsize=6)


def numbers_text(result: FrameResult) -> str:
    """The main numbers, line by line."""
    lens, fit, scan = (result.numbers[part] for part in ("lens", "fit", "scan"))
    radius, slope = lens["einstein_radius"], lens["slope"]
    lines = [
        f"Einstein radius {radius['value']:.3f} ± {radius['error']:.3f}″",
        f"slope {slope['value']:.2f} ± {slope['error']:.2f}",
        f"axis ratio {lens['axis_ratio']:.2f} at {lens['angle_deg']:.0f}°",
        f"shear {np.hypot(lens['shear_1']['value'], lens['shear_2']['value']):.3f}",
        f"χ² per pixel {fit['reduced_chi_square']:.3f} ({fit['pixels']:,} pixels)",
        f"magnification {fit['magnification']:.1f}",
        f"largest significance {scan['significance']:.1f} σ",
        f"  at x {scan['x_arcsec']:.2f}, y {scan['y_arcsec']:.2f}″",
    ]
    for name, kind in (("masses", "a mass"), ("controls", "a negative mass")):
        if found := result.numbers[name]:
            lines.append(f"log evidence for {kind} {found[0]['log_evidence_gain']:.1f}")
    beside = [result.numbers[name] for name in ("mass_beside_control", "control_beside_mass")]
    if all(beside):
        lines.append("  beside each other " + ", ".join(f"{mass['log_evidence_gain']:.1f}" for mass in beside))
    if not fit["explains_frame"]:
        lines.append("THE FIT DOES NOT EXPLAIN THE FRAME")
    return "\n".join(lines)
