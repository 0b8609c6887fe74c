"""The command line: `oddlens score`, `oddlens verify` and `oddlens export`; `python -m oddlens`, too.

Nothing heavy is imported before it is needed, so that help comes at once. Exit status: 0 if all went well, 1 if some
images could not be scored or some model is not as its card says, 2 if nothing could be done.
"""

import argparse
import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens import __version__

if TYPE_CHECKING:
    from oddlens.pretrained.apply import Judged
    from oddlens.pretrained.published_models import Pretrained

MAPPED = 12
"""Images on a picture: the oddest."""
BESIDE = {"psf": "point-spread function", "noise": "noise map", "mask": "what is not to be used (not 0)"}


def score(given: argparse.Namespace) -> int:
    """Score images; the exit status."""
    from oddlens.pretrained import published_models
    from oddlens.pretrained.apply import judged

    model = published_models.load(given.model)
    beside = {kind: getattr(given, kind) for kind in BESIDE}
    found = []
    how = {"dataset": given.dataset, "pixel_scale_arcsec": given.pixel_scale, "others": beside}
    for entry in judged(model, given.image, **how):
        if entry.problem:
            told = entry.problem if entry.label in entry.problem else f"{entry.label}: {entry.problem}"
            print(f"oddlens: {told}", file=sys.stderr)
        found.append(entry)
    scored = [entry for entry in found if not entry.problem]
    print(table(model, scored))
    if given.csv:
        write_csv(given.csv, found)
        print(f"Written: {given.csv}")
    if given.map and scored:
        print(draw(model, scored, given.map))
    return int(len(scored) < len(found))


def table(model: "Pretrained", scored: Sequence["Judged"]) -> str:
    """Scores in columns, then what was done to which image."""
    from oddlens.statistics.false_alarm import one_in

    if not scored:
        return "no image was scored"
    findings = list(scored[0].findings)
    lines = [["image", "score", "of smooth lenses score as high", *findings]]
    lines += [
        [e.label, f"{e.score:.4g}", one_in(e.chance), *(f"{e.findings[name]:.3g}" for name in findings)] for e in scored
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    notes = [f"{entry.label}: brought to {entry.note}" for entry in scored if entry.note]
    if notes:
        from oddlens.observations.frames import CAUTION

        notes = ["", *notes, "", CAUTION]
    return "\n".join([*rows, *notes])


def write_csv(path: Path, found: Iterable["Judged"]) -> None:
    """All images, those without a score with the reason."""
    from oddlens.files.artefacts import replacing

    found = list(found)
    findings = next((list(entry.findings) for entry in found if not entry.problem), [])
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", "score", "false_alarm_probability", *findings, "note", "problem"])
        for e in found:
            figures = [e.score, e.chance, *(e.findings.get(name) for name in findings)]
            told = ["" if value is None or value != value else f"{value:.9g}" for value in figures]
            writer.writerow([e.label, *told, e.note, e.problem])


def draw(model: "Pretrained", scored: Sequence["Judged"], path: Path) -> str:
    """A picture of the oddest images, what the model takes them for, and where they are odd; what there is to say."""
    import numpy as np

    from oddlens.results.figures import style

    oddest = sorted(scored, key=lambda entry: -entry.score)[:MAPPED]
    images = np.stack([entry.image for entry in oddest if entry.image is not None])
    maps, rebuilt = model.maps(images), model.detector.reconstructed(images)
    if maps is None:
        return f"{model.name} cannot say where an image is odd: no picture"
    panels = [("", images, style.IMAGES, images), ("odd", maps, style.MAPS, maps)]
    if rebuilt is not None:
        panels.insert(1, ("rebuilt", rebuilt, style.IMAGES, images))
    with style.plt.rc_context(style.STYLE):
        size = (2 * len(panels), 2.2 * len(oddest))
        figure, axes = style.plt.subplots(len(oddest), len(panels), figsize=size, squeeze=False)
        for k, (line, entry) in enumerate(zip(axes, oddest, strict=True)):
            for axis, (title, arrays, colours, scale) in zip(line, panels, strict=True):
                axis.imshow(arrays[k], cmap=colours, vmin=0, vmax=np.nanmax(scale[k]))
                axis.set_title(title or f"{entry.label}  {entry.score:.3g}", fontsize=7)
                axis.set_axis_off()
        figure.tight_layout(pad=0.4)
        style.save(figure, path)
    return f"Written: {path}" + (f" (the {MAPPED} oddest)" if len(scored) > MAPPED else "")


def verify(given: argparse.Namespace) -> int:
    """Score the mini sets again; the exit status."""
    from oddlens.pretrained import published_models

    names = given.model or published_models.names()
    if not names:
        raise FileNotFoundError(f"there are no models in {published_models.FOLDER}")
    wrong = 0
    for name in names:
        try:
            words, same = published_models.verify(name)
        except (OSError, ValueError) as error:
            words, same = f"{name}: {error}", False
        print(f"{'ok   ' if same else 'WRONG'}  {words}")
        wrong += not same
    return int(wrong > 0)


def export(given: argparse.Namespace) -> int:
    """Write a model as ONNX; the exit status."""
    from oddlens.pretrained import onnx_export, published_models

    print(onnx_export.write(given.file, published_models.load(given.model)))
    return 0


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    whole = argparse.ArgumentParser(
        prog="oddlens", description="Find strong gravitational lenses whose dark matter is odd, by published models."
    )
    whole.add_argument("--version", action="version", version=f"oddlens {__version__}")
    commands = whole.add_subparsers(required=True, metavar="score, verify, export")
    own = commands.add_parser("score", help="score images", description="Score FITS, HDF5 and NPY images.")
    own.add_argument("image", type=Path, nargs="+", help="a file of one image or many, or a folder with data.fits")
    own.add_argument("--model", required=True, metavar="NAME", help="data set/detector, or a .safetensors file")
    own.add_argument("--csv", type=Path, metavar="FILE", help="write scores there, with all digits")
    own.add_argument("--map", type=Path, metavar="FILE", help="draw there where the oddest images are odd (PNG)")
    own.add_argument("--dataset", default="images", metavar="NAME", help="the images of an HDF5 file; default: images")
    own.add_argument("--pixel-scale", type=float, metavar="ARCSEC", help="if the files do not say it, or are wrong")
    for kind, what in BESIDE.items():
        own.add_argument(f"--{kind}", type=Path, metavar="FITS", help=f"{what}, if not in the file or beside it")
    own.set_defaults(run=score)
    own = commands.add_parser("verify", help="score bundled images again and compare with the models' cards")
    own.add_argument("model", nargs="*", help="names; default: all")
    own.set_defaults(run=verify)
    own = commands.add_parser("export", help="write a model as ONNX, images to scores")
    own.add_argument("--model", required=True, metavar="NAME", help="data set/detector, or a .safetensors file")
    own.add_argument("file", type=Path, help="to be written")
    own.set_defaults(run=export)
    return whole


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command."""
    given = parser().parse_args(argv)
    try:
        sys.exit(given.run(given))
    except (OSError, ValueError, ImportError) as error:
        print(f"oddlens: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
