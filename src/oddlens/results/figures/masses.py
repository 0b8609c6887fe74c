"""What a fit of physics leaves over, where mass explains it, and how heavy a mass must be to be seen."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from oddlens.files.artefacts import read_arrays
from oddlens.results.figures.style import DIFFERENCES, IMAGES, MAPS, plt, said
from oddlens.results.tables.findings import SURE

SPAN = 4.0
"""Of what is left over, in units of the noise."""


def mass_panels(examples: Mapping[str, Path | str], title: str) -> Figure:
    """Test images, what the best smooth lens leaves over of them, how significant a mass is at each place, and the
    least mass that would be found there with 5 sigma; of the first row that finds masses.

    A cross is where the heaviest mass truly is, a contour where a mass is found.
    """
    found: Mapping[str, np.ndarray] = {}
    for path in examples.values():
        arrays, about = read_arrays(path)
        if "least_msun" in arrays:
            found = arrays
            break
    else:
        return said("No row of this study finds masses.")
    count = found["images"].shape[1]
    lines = [(c, k) for k in range(count) for c in range(len(found["images"]))]
    figure, axes = plt.subplots(len(lines), 4, figsize=(7.2, 1.6 * len(lines) + 0.4), squeeze=False)
    half = found["images"].shape[-1] / 2
    view = {"extent": (-half, half, -half, half)}
    least, peak = np.log10(found["least_msun"]), found["images"].max()
    low, high = np.nanquantile(least, [0, 0.9])
    most = max(SURE + 1, np.quantile(found["scan"], 0.999))
    panels = {
        "image": (found["images"], {"cmap": IMAGES, "vmin": 0, "vmax": peak}),
        "left over [σ]": (found["residual"], {"cmap": DIFFERENCES, "vmin": -SPAN, "vmax": SPAN}),
        "significance of a mass [σ]": (found["scan"], {"cmap": MAPS, "vmin": 0, "vmax": most}),
        "least mass [log10 M☉]": (least, {"cmap": MAPS + "_r", "vmin": low, "vmax": high}),
    }
    for line, place in zip(axes, lines, strict=True):
        for axis, (name, (maps, look)) in zip(line, panels.items(), strict=True):
            shown = axis.imshow(maps[place], **look, **view)
            axis.set(xticks=[], yticks=[])
            if axis in axes[0]:
                axis.set_title(name, fontsize=8)
            if name != "image":
                figure.colorbar(shown, ax=axis, fraction=0.046, pad=0.02).ax.tick_params(labelsize=6)
        line[0].set_ylabel(f"{about['classes'].split(',')[place[0]]}, {place[1]}")
        y, x = found["heaviest"][place]
        if found["scan"][place].max() > SURE:
            line[2].contour(found["scan"][place][::-1], [SURE], colors="w", linewidths=0.8, **view)
        for axis in line[1:3]:
            axis.plot(x, y, "+", color="k" if axis is line[1] else "c", ms=7, mew=1.2)
            axis.set(xlim=(-half, half), ylim=(-half, half))
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(pad=0.4, rect=(0, 0, 1, 0.97))
    return figure
