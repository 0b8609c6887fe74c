"""Score a real lens with a study's detectors: `python -m oddlens.real PATH --study results/default`.

The frame is brought to the geometry of each data set (`oddlens.frames`).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oddlens import detectors, figures, frames, shards, tables
from oddlens.cells import CLEAN, cell_name
from oddlens.chance import false_alarm, one_in
from oddlens.detectors.base import INPUTS
from oddlens.frames import CAUTION, Frame, Target
from oddlens.imagefiles import SIBLINGS
from oddlens.lensing.substructure import SMOOTH
from oddlens.tables.findings import FLAGS
from oddlens.training import pick_device


def simulated(study: Path, dataset: str) -> tuple[Target, np.ndarray]:
    """What a data set of a study looks like, and its smooth validation images [n, pixels, pixels]."""
    paths = sorted((study / "shards" / dataset / "validation" / SMOOTH).glob("*.h5"))
    if not paths:
        raise FileNotFoundError(f"{study} has no validation images of '{dataset}': run `make study` first")
    found = [shards.read(path) for path in paths]
    return Target.of(found), np.concatenate([shard.images for shard in found])


# --- scores ----------------------------------------------------------------------------------------------------------


def percentile(score: float, among: np.ndarray) -> float:
    """How many per cent of the scores lie below this one; ties count half."""
    return 100 * float(np.sum(among < score) + np.sum(among <= score)) / (2 * len(among))


def model_paths(study: Path, dataset: str) -> dict[str, list[Path]]:
    """The models trained without contamination, by detector, a path for each seed."""
    found = sorted((study / "models" / dataset).glob(f"*/seed-*/{cell_name(CLEAN, 0)}.safetensors"))
    if not found:
        raise FileNotFoundError(f"{study} has no trained models for '{dataset}': run `make study` first")
    return {row: [p for p in found if p.parts[-3] == row] for row in dict.fromkeys(p.parts[-3] for p in found)}


def percentiles(image: np.ndarray, dataset: str, smooth: np.ndarray, paths: dict[str, list[Path]]) -> pd.DataFrame:
    """The image's percentile among the simulated smooth ones and its `chance`, and what else a detector finds in it: a
    row for each detector and seed."""
    rows = []
    for detector, path in ((detector, path) for detector, seeds in paths.items() for path in seeds):
        model, about = detectors.load(path)
        # Nobody knows the truth; there is nothing to know; or it must be explained first.
        if model.needs == "truth" or about["diverged"] or about["input"] != "images":
            continue
        scores, found = model.to(pick_device("auto")).examined(np.concatenate([image[None], smooth]))
        row = {"dataset": dataset, "detector": detector, "seed": about["seed"]}
        row |= {"percentile": percentile(scores[0], scores[1:]), "chance": false_alarm(scores[:1], scores[1:])[0]}
        rows.append(row | {name: values[0] for name, values in found.items()})
    return pd.DataFrame(rows)


def rebuilt(study: Path, image: np.ndarray, dataset: str, paths: dict[str, list[Path]]) -> dict[str, np.ndarray]:
    """What the detector with the best clean AUC among those that rebuild images makes of this one, what that leaves
    over, and how significant masses are, if it knows: images by their titles."""
    order = list(paths)
    if (study / "tables" / "auc.csv").is_file():
        auc = pd.read_csv(study / "tables" / "auc.csv")
        clean = auc[(auc["dataset"] == dataset) & (auc["contaminant"] == CLEAN) & (auc["anomaly"] == tables.ALL)]
        means = clean.groupby("detector")["auc"].mean()
        order.sort(key=lambda detector: -means.get(detector, 0.0))
    for detector, (model, about) in ((detector, detectors.load(paths[detector][0])) for detector in order):
        if about["diverged"] or about["input"] != "images":
            continue
        if (images := model.reconstructed(image[None])) is not None:
            made = {f"rebuilt by {detector}": images[0], "residual": image - images[0]}
            if (left := model.leftovers(image[None])) is not None:
                made["significance of a mass [σ]"] = left[0, INPUTS.index("scan")]
            return made
    return {}


# --- picture and words -----------------------------------------------------------------------------------------------


def picture(frame: Frame, lensed: np.ndarray, centre: tuple[int, int], rows: list[tuple]) -> Figure:
    """A row for each (target, simulated, image, rebuilt): frame, less lens light, as the data set shows it, a simulated
    one, rebuilt."""
    columns = 4 + max(len(made) for *_, made in rows)
    figure, axes = figures.plt.subplots(len(rows), columns, figsize=(2 * columns, 2.25 * len(rows)), squeeze=False)
    for line, (target, smooth, image, made) in zip(axes, rows, strict=True):
        half = target.camera.pixels * target.camera.pixel_scale_arcsec / 2 / frame.pixel_scale_arcsec
        view = tuple(slice(max(0, round(c - half)), round(c + half) + 1) for c in centre)
        raw, arcs = np.arcsinh(frame.image / (3 * np.median(frame.sigma[~frame.masked])))[view], lensed[view]
        panels = [
            (f"{frame.name} (asinh)", raw, raw.max()),
            ("lens light removed", arcs, np.percentile(arcs, 99.8)),
            (f"as in {target.dataset}", image, image.max()),
            (f"one of {target.dataset}", smooth, smooth.max()),
        ]
        panels += [(title, panel, image.max()) for title, panel in made.items()]
        for axis, (title, panel, top) in zip(line, panels, strict=False):
            colours, low, high = (figures.IMAGES, 0, top)
            if title == "residual":
                colours, low, high = (figures.DIFFERENCES, -top / 4, top / 4)
            if "[σ]" in title:
                colours, high = figures.MAPS, max(5.0, panel.max())
                title += f" to {high:.0f}"
            axis.imshow(panel, cmap=colours, vmin=low, vmax=high)
            axis.set_title(title, fontsize=8)
        for axis in line:
            axis.set_axis_off()
    figure.tight_layout(pad=0.4)
    return figure


def score_real(study: Path, frame: Frame, datasets: list[str]) -> str:
    """Write `real/<name>.csv` and `.png` in the study's folder; returns what there is to say."""
    centre = frames.lens_centre(frame)
    goals = [(simulated(study, dataset), model_paths(study, dataset)) for dataset in datasets]
    for (target, _), _ in goals:
        frames.check_field(frame, centre, target)
    lensed = frames.without_lens_light(frame, centre)
    found, rows, texts = [], [], []
    for (target, smooth), paths in goals:
        image, too_noisy = frames.match(frame, lensed, centre, target)
        found.append(percentiles(image, target.dataset, smooth, paths))
        rows.append((target, smooth[0], image, rebuilt(study, image, target.dataset, paths)))
        texts.append(frames.told(frame, target, too_noisy))
    table = pd.concat(found)
    place = study / "real" / frame.name
    tables.write(f"{place}.csv", table)
    with figures.plt.rc_context(figures.STYLE):
        figures.save(picture(frame, lensed, centre, rows), f"{place}.png")
    means = table.groupby(["detector", "dataset"])[["percentile", "chance"]].mean()
    cells = means["percentile"].map("{:.1f}".format) + " (" + means["chance"].map(one_in) + ")"
    flags = table.reindex(columns=["detector", "dataset", *FLAGS]).groupby(["detector", "dataset"])[FLAGS].max()
    for flag in FLAGS:
        cells += np.where(flags[flag] == 1, f", {flag.replace('_', ' ')}", "")
    words = cells.unstack(fill_value="–").reset_index().rename_axis(columns=None).to_string(index=False)
    title = (
        f"{frame.name}: percentile of its score among the simulated smooth lenses, and how many score as high (means)"
    )
    return "\n\n".join([title, words, *texts, CAUTION, f"Written: {place}.png, {place}.csv"])


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m oddlens.real", description="Score a real lens.")
    parser.add_argument("path", help="a FITS file, or a folder with data.fits")
    parser.add_argument("--study", type=Path, default=Path("results/default"), help="a study's folder")
    parser.add_argument("--dataset", action="append", help="score by this data set alone (may be repeated)")
    for kind, file in SIBLINGS.items():
        parser.add_argument(f"--{kind}", type=Path, help=f"FITS; default: {file} beside the frame, if there")
    parser.add_argument("--pixel-scale", type=float, help="arcsec; default: from the header or from info.json")
    given = parser.parse_args(argv)
    try:
        if not given.path:
            raise ValueError("no frame given: make score-real FITS=path")
        datasets = given.dataset or sorted(
            folder.name for folder in (given.study / "shards").glob("[!.]*") if folder.is_dir()
        )
        if not datasets:
            raise FileNotFoundError(f"{given.study} has no images and models: run `make study` first")
        others = {kind: getattr(given, kind) for kind in SIBLINGS}
        print(score_real(given.study, frames.read_frame(Path(given.path), given.pixel_scale, **others), datasets))
    except (OSError, ValueError) as error:
        sys.exit(f"cannot score this: {error}")


if __name__ == "__main__":
    main()
