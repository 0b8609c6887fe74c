"""Draw docs/classes.png, a picture per class of substructure: `python docs/pictures.py` with src/ on the path."""

from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np

from oddlens.config.presets import preset_simulation
from oddlens.lensing import convergence, render
from oddlens.lensing.simulated_images import simulate_images
from oddlens.results.figures.style import DIFFERENCE_CMAP, IMAGE_CMAP, STYLE, save

CAMERA = {
    "camera": {"pixels": 64, "pixel_scale_arcsec": 0.1, "psf": {"fwhm_arcsec": 0.25, "pixels": 21}, "exposure_s": 4000}
}
NAME = {"seed": 2020, "dataset": "docs", "pool": "test", "indices": np.array([11])}
ROWS = {
    "smooth": ("smooth", ["model_a"]),
    "cdm": ("cdm", ["model_a"]),
    "cdm, truncated NFW": ("cdm", ["model_a", "tnfw_subhalos"]),
    "vortex": ("vortex", ["model_a"]),
    "subhalo": ("subhalo", ["model_a", "subhalo"]),
}
COLUMNS = ("without noise", "observed", "odd - smooth", "(odd - smooth) / noise", "change of convergence")


def main() -> None:
    """Render the twins and lay them out."""
    figure, axes = plt.subplots(len(ROWS), len(COLUMNS), figsize=(11, 2.15 * len(ROWS)), layout="constrained")
    smooth = None
    for row, (label, (cls, presets)) in zip(axes, ROWS.items(), strict=True):
        simulation = preset_simulation(*presets, above=CAMERA)
        made = simulate_images(simulation, render.renderer(simulation.camera, cls), cls=cls, **NAME)
        smooth = smooth or made
        change = made.noise_free[0] - smooth.noise_free[0]
        kappa = convergence.difference(simulation.camera, cls, made.scenes, 0)
        peak = smooth.noise_free.max()
        panels = [
            (made.noise_free[0], IMAGE_CMAP, 0, peak),
            (made.images[0], IMAGE_CMAP, 0, peak),
            (change, DIFFERENCE_CMAP, -peak / 8, peak / 8),
            (change / made.sigma[0], DIFFERENCE_CMAP, -8, 8),
            (kappa, DIFFERENCE_CMAP, -0.3, 0.3),
        ]
        for axis, (panel, colours, low, high) in zip(row, panels, strict=True):
            shown = axis.imshow(panel, cmap=colours, vmin=low, vmax=high)
            axis.set(xticks=[], yticks=[])
            if label == list(ROWS)[-1]:
                figure.colorbar(shown, ax=axis, orientation="horizontal", shrink=0.9, aspect=15)
        row[0].set_ylabel(label)
    for axis, title in zip(axes[0], COLUMNS, strict=True):
        axis.set_title(title)
    save(figure, Path(__file__).with_name("classes.png"))


if __name__ == "__main__":
    with plt.rc_context(STYLE):
        main()
