"""Run the commands of docs/tutorial.md in a clone, and put what they print, and what they draw, into the page.

    python docs/tutorial.py CLONE

The studies of the page (its blocks `sh`) must have been run in the clone before, in its own `.venv`.
"""

import re
import subprocess
import sys
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits
from PIL import Image

from oddlens.results.figures.style import DIFFERENCE_CMAP, IMAGE_CMAP, STYLE, save

PAGE = Path(__file__).with_name("tutorial.md")
COMMANDS = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MOST_LINES = 40
FIGURES = {"roc": 1200, "contamination": 1200}
"""Figures of the study that the page shows, and how wide they may be."""


def printed(block: str, clone: Path) -> str:
    """The block with what its commands print now."""
    lines = []
    for command in (line for line in block.splitlines() if line.startswith("$ ")):
        run = subprocess.run(
            ["bash", "-c", command.removeprefix("$ ")],
            cwd=clone,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        said = run.stdout.rstrip().splitlines()
        if run.returncode or len(said) > MOST_LINES:
            sys.exit(f"{command}\nsaid {len(said)} lines and ended with {run.returncode}:\n{run.stdout[-2000:]}")
        lines += [command, *said]
    return "\n".join(["```console", *lines, "```"])


def shrink(source: Path, name: str, width: int) -> None:
    """A figure in 64 colours and no wider than `width` pixels."""
    with Image.open(source) as figure:
        flat = figure.convert("RGB")
        flat.thumbnail((width, width))
        flat.quantize(64).save(PAGE.with_name(f"tutorial-{name}.png"), optimize=True)


def draw_image(path: Path) -> None:
    """The planes of the file that `oddlens image` wrote."""
    with fits.open(path) as file:
        image, noise, twin, kappa = (np.flipud(file[key].data) for key in (0, "NOISE", "TWIN", "KAPPADIF"))
    panels = {
        "the image": (image, IMAGE_CMAP, image.min(), image.max()),
        "its smooth twin": (twin, IMAGE_CMAP, image.min(), image.max()),
        "(image - twin) / noise": ((image - twin) / noise, DIFFERENCE_CMAP, -8, 8),
        "change of convergence": (kappa, DIFFERENCE_CMAP, -0.3, 0.3),
    }
    figure, axes = plt.subplots(1, len(panels), figsize=(10, 2.8), layout="constrained")
    for axis, (title, (panel, colours, low, high)) in zip(axes, panels.items(), strict=True):
        axis.imshow(panel, cmap=colours, vmin=low, vmax=high)
        axis.set(xticks=[], yticks=[], title=title)
    save(figure, PAGE.with_name("tutorial-image.png"))


def main(clone: Path) -> None:
    """Fill the page."""
    text = PAGE.read_text()
    PAGE.write_text(COMMANDS.sub(lambda found: printed(found[1], clone), text))
    study = clone / "results" / re.search(r"^study: (\w+)", text, re.MULTILINE)[1]
    for name, width in FIGURES.items():
        shrink(study / f"figures/model_a/{name}.png", name, width)
    draw_image(next((study / "images").glob("*.fits")))


if __name__ == "__main__":
    with plt.rc_context(STYLE):
        main(Path(sys.argv[1]))
