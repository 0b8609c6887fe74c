"""Score FITS, HDF5, NPY and NPZ images by a published model."""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oddlens.pretrained.apply import ScoredImage
    from oddlens.pretrained.published_models import PublishedModel

HELP = "score images by a published model"
EXAMPLES = (
    "oddlens score lens.fits --model model_a/aae",
    "oddlens score *.fits stamps.npy --model model_a/lensfit --csv scores.csv --map anomalies.png",
)
MAX_MAPPED = 12
"""Most images on a picture of anomaly maps."""
COMPANIONS = {"psf": "point-spread function", "noise": "noise map", "mask": "mask, not 0 where pixels are not used"}
"""Files that describe an image."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens score`."""
    parser.add_argument("image", type=Path, nargs="+", help="a file of one image or many, or a folder with data.fits")
    parser.add_argument("--model", required=True, metavar="NAME", help="DATASET/DETECTOR, or a .safetensors file")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write all digits, and what could not be scored")
    parser.add_argument(
        "--map", type=Path, metavar="FILE", help=f"draw the anomaly maps of the {MAX_MAPPED} highest scores (PNG)"
    )
    parser.add_argument("--dataset", default="images", metavar="NAME", help="of an HDF5 or NPZ file (%(default)s)")
    parser.add_argument("--pixel-scale", type=float, metavar="ARCSEC", help="overrides that of the files")
    for kind, description in COMPANIONS.items():
        parser.add_argument(
            f"--{kind}", type=Path, metavar="FITS", help=f"{description}, if not in or next to the file"
        )


def run(arguments: argparse.Namespace) -> int:
    """Print scores; the status is 1 if some image could not be scored."""
    from oddlens.pretrained import published_models
    from oddlens.pretrained.apply import score_files

    model = published_models.load(arguments.model)
    companions = {kind: getattr(arguments, kind) for kind in COMPANIONS}
    entries = []
    reading = {"dataset": arguments.dataset, "pixel_scale_arcsec": arguments.pixel_scale, "companions": companions}
    for entry in score_files(model, arguments.image, **reading):
        if entry.problem:
            problem = entry.problem if entry.label in entry.problem else f"{entry.label}: {entry.problem}"
            print(f"oddlens score: {problem}", file=sys.stderr)
        entries.append(entry)
    scored = [entry for entry in entries if not entry.problem]
    print(table(scored))
    if arguments.csv:
        write_csv(arguments.csv, entries)
        print(f"Written: {arguments.csv}")
    if arguments.map and scored:
        print(draw_maps(model, scored, arguments.map))
    return int(len(scored) < len(entries))


def table(scored: Sequence["ScoredImage"]) -> str:
    """Scores in columns, then how each image was prepared."""
    from oddlens.statistics.false_alarm import one_in

    if not scored:
        return "no image was scored"
    findings = list(scored[0].findings)
    lines = [["image", "score", "false-alarm probability", *findings]]
    lines += [
        [
            e.label,
            f"{e.score:.4g}",
            one_in(e.false_alarm_probability),
            *(f"{e.findings[name]:.3g}" for name in findings),
        ]
        for e in scored
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    notes = [f"{entry.label}: {entry.note}" for entry in scored if entry.note]
    if notes:
        from oddlens.observations.matching import CAUTION

        notes = ["", *notes, "", CAUTION]
    return "\n".join([*rows, *notes])


def write_csv(path: Path, entries: Sequence["ScoredImage"]) -> None:
    """Write all images; those without a score have a `problem`."""
    from oddlens.files.artefacts import atomic_write

    findings = next((list(entry.findings) for entry in entries if not entry.problem), [])
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", "score", "false_alarm_probability", *findings, "note", "problem"])
        for e in entries:
            numbers = [e.score, e.false_alarm_probability, *(e.findings.get(name) for name in findings)]
            cells = ["" if value is None or value != value else f"{value:.9g}" for value in numbers]
            writer.writerow([e.label, *cells, e.note, e.problem])


def draw_maps(model: "PublishedModel", scored: Sequence["ScoredImage"], path: Path) -> str:
    """Draw the images of the highest scores, their reconstructions and anomaly maps; returns a line to print."""
    import numpy as np

    from oddlens.results.figures import style

    shown = sorted(scored, key=lambda entry: -entry.score)[:MAX_MAPPED]
    images = np.stack([entry.image for entry in shown if entry.image is not None])
    maps, reconstructions = model.anomaly_maps(images), model.reconstructions(images)
    if maps is None:
        return f"no picture: {model.name} has no anomaly maps"
    panels = [("", images, style.IMAGE_CMAP, images), ("anomaly map", maps, style.MAP_CMAP, maps)]
    if reconstructions is not None:
        panels.insert(1, ("reconstruction", reconstructions, style.IMAGE_CMAP, images))
    with style.plt.rc_context(style.STYLE):
        size = (2 * len(panels), 2.2 * len(shown))
        figure, axes = style.plt.subplots(len(shown), len(panels), figsize=size, squeeze=False)
        for k, (line, entry) in enumerate(zip(axes, shown, strict=True)):
            for axis, (title, arrays, colours, scale) in zip(line, panels, strict=True):
                axis.imshow(arrays[k], cmap=colours, vmin=0, vmax=np.nanmax(scale[k]))
                axis.set_title(title or f"{entry.label}  {entry.score:.3g}", fontsize=7)
                axis.set_axis_off()
        figure.tight_layout(pad=0.4)
        style.save(figure, path)
    return f"Written: {path}" + (f" (the {MAX_MAPPED} highest scores)" if len(scored) > MAX_MAPPED else "")
