"""Score FITS, HDF5, NPY and NPZ images by a published model."""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.cli.outputs import output_file, refuse_overwriting
from oddlens.cli.reading import IMAGE_HELP, add_reading_arguments, reading
from oddlens.files.names import printable, shown_name

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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens score`."""
    parser.add_argument("image", nargs="+", help=IMAGE_HELP)
    parser.add_argument("--model", required=True, metavar="NAME", help="DATASET/DETECTOR, or a .safetensors file")
    parser.add_argument(
        "--csv", type=output_file, metavar="FILE", help="write all digits, and what could not be scored"
    )
    parser.add_argument(
        "--map",
        type=output_file,
        metavar="FILE",
        help=f"draw the anomaly maps of the {MAX_MAPPED} highest scores (PNG)",
    )
    add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print scores; the status is 1 if some image could not be scored."""
    from oddlens.observations.reading.references import Reference
    from oddlens.pretrained import published_models
    from oddlens.pretrained.apply import score_files

    how = reading(arguments)
    read = [*arguments.image, *filter(None, how.companions.values()), arguments.model]
    refuse_overwriting({"--csv": arguments.csv, "--map": arguments.map}, [Reference.parse(name).path for name in read])
    model = published_models.load(arguments.model)
    entries = list(score_files(model, arguments.image, how))
    scored = [entry for entry in entries if not entry.problem]
    lines = [table(scored)]
    try:  # files first: the reader of the terminal may leave, as `head` does
        if arguments.csv:
            write_csv(arguments.csv, entries)
            lines.append(f"Written: {shown_name(arguments.csv)}")
        if arguments.map and scored:
            lines.append(draw_maps(model, scored, arguments.map))
    finally:
        for entry in entries:
            if entry.problem:
                print(f"oddlens score: {problem_line(entry)}", file=sys.stderr)
        print(*lines, sep="\n")
    return int(len(scored) < len(entries))


def problem_line(entry: "ScoredImage") -> str:
    """Why an image has no score, with its name."""
    named = entry.label in entry.problem
    return printable(entry.problem) if named else f"{shown_name(entry.label)}: {printable(entry.problem)}"


def table(scored: Sequence["ScoredImage"]) -> str:
    """Scores in columns, then how each image was prepared."""
    from oddlens.statistics.false_alarm import one_in

    if not scored:
        return "no image was scored"
    findings = list(scored[0].findings)
    lines = [["image", "score", "false-alarm probability", *findings]]
    lines += [
        [
            shown_name(e.label),
            f"{e.score:.4g}",
            one_in(e.false_alarm_probability),
            *(f"{e.findings[name]:.3g}" for name in findings),
        ]
        for e in scored
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n\n".join(filter(None, ["\n".join(rows), _notes(scored)]))


def _notes(scored: Sequence["ScoredImage"]) -> str:
    """How images were prepared, once for all images with equal notes."""
    labels: dict[str, list[str]] = {}
    for entry in scored:
        labels.setdefault(entry.note, []).append(shown_name(entry.label))
    lines = [f"{_and_more(names)}: {printable(note)}" for note, names in labels.items() if note]
    if any(entry.matched for entry in scored):
        from oddlens.observations.matching import CAUTION

        lines += ["", CAUTION]
    return "\n".join(lines)


def _and_more(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def write_csv(path: Path, entries: Sequence["ScoredImage"]) -> None:
    """Write all images; those without a score have a `problem`."""
    from oddlens.files.artefacts import atomic_write

    findings = next((list(entry.findings) for entry in entries if not entry.problem), [])
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", "score", "false_alarm_probability", *findings, "note", "problem"])
        for e in entries:
            numbers = [e.score, e.false_alarm_probability, *(e.findings.get(name) for name in findings)]
            cells = ["" if value is None or value != value else f"{value:.9g}" for value in numbers]
            writer.writerow([shown_name(e.label), *cells, printable(e.note), printable(e.problem)])


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
                axis.set_title(title or f"{shown_name(entry.label)}  {entry.score:.3g}", fontsize=7)
                axis.set_axis_off()
        figure.tight_layout(pad=0.4)
        style.save(figure, path)
    return f"Written: {shown_name(path)}" + (f" (the {MAX_MAPPED} highest scores)" if len(scored) > MAX_MAPPED else "")
