"""Draw the figures of docs/ that are not of the tutorial: `python docs/pictures.py`.

It needs src/ and tests/support/ on the path, as in `PYTHONPATH=src:tests/support`.

The catalogue of galaxies is where config/sky.yaml expects it. Without it, worlds.png is not drawn.
"""

from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from study_tables import CODES, GAN_ROWS, LENGTHS, TRAININGS, auc_of_all, gain_of, models_in, read, scored

from frames_like_hst import Lens, frame
from oddlens.config.dataset import Dataset
from oddlens.config.presets import preset_simulation, with_presets
from oddlens.config.study import read_study
from oddlens.lensing import convergence, render
from oddlens.lensing.simulated_images import SimulatedImages, simulate_images
from oddlens.lensing.simulation import Simulation
from oddlens.observations.modelling.frame_fit import fit_frame
from oddlens.observations.modelling.frame_result import Redshifts, result_of
from oddlens.results.figures.lens_fit import lens_fit_figure
from oddlens.results.figures.style import DIFFERENCE_CMAP, IMAGE_CMAP, STYLE, save

CAMERA = {
    "camera": {"pixels": 64, "pixel_scale_arcsec": 0.1, "psf": {"fwhm_arcsec": 0.25, "pixels": 21}, "exposure_s": 4000}
}
NAME = {"seed": 2020, "dataset": "docs", "pool": "test", "indices": np.array([11])}
IMAGES = {"train": 1, "contaminant": 0, "validation": 1, "test": 2}
ROWS = {
    "smooth": ("smooth", ["model_a"]),
    "cdm": ("cdm", ["model_a"]),
    "cdm, truncated NFW": ("cdm", ["model_a", "tnfw_subhalos"]),
    "vortex": ("vortex", ["model_a"]),
    "subhalo": ("subhalo", ["model_a", "subhalo"]),
    "line of sight": ("line_of_sight", ["model_a", "line_of_sight"]),
}
HEAVY = {"substructure": {"line_of_sight": {"mass_msun": 1e11, "redshift": 0.25}}}
WORLDS = {
    "model B": ("physics", "model_b", ("cdm", "vortex")),
    "clumps": ("physics", "clumps", ("cdm", "vortex")),
    "model C": ("physics", "model_c", ("cdm", "vortex")),
    "real galaxies": ("sky", "galaxies", ("cdm", "vortex")),
    "sky": ("sky", "sky", ("subhalo", "line_of_sight")),
    "stress": ("stress", "stress", ("subhalo", "line_of_sight")),
}
FITTED = Lens(b=1.2, perturber=(0.02, 0.25, 0.75, -0.95))
"""With a mass of 0.02 arcsec^2, truncated at 0.25"."""
MARKERS = {"centre": "o", "knn": "s", "mahalanobis": "^"}
"""Of the scores of codes."""
CONFIG = Path(__file__).parents[1] / "config"
COLUMNS = ("without noise", "observed", "change", "change / noise", "change of convergence")
WORLD_COLUMNS = ("without noise", "observed", "one anomaly, change / noise", "another, change / noise")


def image(simulation: Simulation, cls: str) -> SimulatedImages:
    """The image of a class."""
    return simulate_images(simulation, render.renderer(simulation.camera, cls), cls=cls, **NAME)


def panels(made: SimulatedImages, smooth: SimulatedImages) -> list[tuple]:
    """Images, colours and ranges of a row."""
    change, peak = made.noise_free[0] - smooth.noise_free[0], smooth.noise_free.max()
    return [
        (made.noise_free[0], IMAGE_CMAP, 0, peak),
        (made.images[0], IMAGE_CMAP, 0, peak),
        (change, DIFFERENCE_CMAP, -peak / 8, peak / 8),
        (change / made.sigma[0], DIFFERENCE_CMAP, -8, 8),
    ]


def draw(rows: dict[str, list[tuple]], name: str, titles: tuple[str, ...] = COLUMNS) -> None:
    """Lay out rows of panels."""
    columns = len(next(iter(rows.values())))
    figure, axes = plt.subplots(len(rows), columns, figsize=(2.2 * columns, 2.15 * len(rows)), layout="constrained")
    for row, (label, shown) in zip(axes, rows.items(), strict=True):
        for axis, (panel, colours, low, high) in zip(row, shown, strict=True):
            drawn = axis.imshow(panel, cmap=colours, vmin=low, vmax=high)
            axis.set(xticks=[], yticks=[])
            if label == list(rows)[-1]:
                figure.colorbar(drawn, ax=axis, orientation="horizontal", shrink=0.9, aspect=15)
        row[0].set_ylabel(label)
    for axis, title in zip(axes[0], titles, strict=False):
        axis.set_title(title)
    save(figure, Path(__file__).with_name(name))


def classes() -> dict[str, list[tuple]]:
    """A row for each class of substructure."""
    rows, smooth = {}, None
    for label, (cls, presets) in ROWS.items():
        simulation = preset_simulation(*presets, above=CAMERA | (HEAVY if cls == "line_of_sight" else {}))
        made = image(simulation, cls)
        smooth = smooth or made
        kappa = convergence.difference(simulation.camera, cls, made.scenes, 0)
        rows[label] = [*panels(made, smooth), (kappa, DIFFERENCE_CMAP, -0.3, 0.3)]
    return rows


def decoys() -> dict[str, list[tuple]]:
    """A row for each decoy, after that of the lens itself."""
    section = with_presets({"preset": ["model_a", "decoys"], "images": IMAGES, **CAMERA}, "decoys")
    dataset = Dataset.model_validate(section)
    smooth = image(dataset.simulation_of("smooth"), "smooth")
    made = {name: image(dataset.simulation_of(name), "smooth") for name in ("smooth", *dataset.decoys)}
    return {name.replace("_", " "): panels(each, smooth) for name, each in made.items()}


def worlds() -> dict[str, list[tuple]]:
    """A row for each world of the harder studies, with two of its classes of substructure."""
    rows = {}
    for label, (study, name, classes) in WORLDS.items():
        dataset = read_study([CONFIG / "config.yaml", CONFIG / f"{study}.yaml"]).datasets[name]
        smooth, *made = (image(dataset.simulation_of(cls), cls) for cls in ("smooth", *classes))
        clear, seen, *_ = panels(smooth, smooth)
        rows[label] = [clear, seen, *(panels(each, smooth)[3] for each in made)]
    return rows


def lens_fit() -> Figure:
    """The fit of a simulated frame of Hubble, with a mass."""
    pixels = frame(FITTED, pixels=121, signal_to_noise=40)
    result = result_of("a simulated lens with a mass", pixels, fit_frame(pixels), Redshifts(0.2, 0.6))
    return lens_fit_figure(result)


def gan_claims() -> Figure:
    """What contamination takes from long trainings of GANs, and what an encoder trained at the same time gains."""
    summary = read("gan_long", "summary").query("anomaly == 'all'").set_index(["dataset", "detector", "training"])
    pairs = read("gan_long", "pairs").query("anomaly == 'all'").set_index(["dataset", "training", "a", "b"])
    figure, (change, gain) = plt.subplots(1, 2, figsize=(8.6, 3.0))
    models = models_in(summary)
    groups = [(dataset, training) for dataset in models for training in TRAININGS]
    for k, (row, label) in enumerate(GAN_ROWS.items()):
        own = summary.loc[[(dataset, row, training) for dataset, training in groups if training != "clean"]]
        _intervals(
            change, np.arange(len(own)) + 0.2 * (k - 1), own[["change", "change_low", "change_high"]], label.strip("`")
        )
    differences = [gain_of(pairs.loc[group], *list(GAN_ROWS)[:2]) for group in groups]
    _intervals(gain, np.arange(len(groups)), pd.DataFrame(differences), None)
    named = [f"{models[dataset]}, {training.replace('mixed ', '').replace('%', ' %')}" for dataset, training in groups]
    for axis, labels in ((change, [each for each in named if "clean" not in each]), (gain, named)):
        axis.axhline(0, color="k", lw=0.8)
        axis.set_xticks(range(len(labels)), labels, fontsize=7)
    change.set_title("AUC, contaminated minus clean", fontsize=9)
    change.legend(fontsize=7, title="encoder", title_fontsize=7, loc="upper center", bbox_to_anchor=(0.62, 1.0))
    change.set_ylim(top=0.02)
    gain.set_title("AUC, encoder at the same time minus afterwards", fontsize=9)
    figure.tight_layout()
    return figure


def information_length() -> Figure:
    """AUC of codes against the length of the training, beside that of reconstruction errors."""
    auc = auc_of_all("information_length")
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.0), sharey=True)
    for axis, family in zip(axes, ("svdd", "infonce"), strict=True):
        own = {base: each for base, each in CODES.items() if base.startswith(family)}
        for k, (base, (label, scores)) in enumerate(own.items()):
            for score in scores:
                rows = {epochs: scored(f"{base}_{epochs}", score) for epochs in LENGTHS}
                found = {epochs: row for epochs, row in rows.items() if row in auc.index}
                axis.plot(list(found), auc.loc[list(found.values()), "auc"], f"C{k}{MARKERS[score]}-", ms=4)
            axis.plot([], [], f"C{k}", label=label.split(", ")[1])
        low, high = auc.loc["random", ["auc_low", "auc_high"]]
        axis.axhspan(low, high, color="k", alpha=0.12, lw=0, label="random numbers, 95 %")
        axis.set_xscale("log")
        axis.set_xticks(LENGTHS, [str(epochs) for epochs in LENGTHS])
        axis.minorticks_off()
        axis.set_xlabel("epochs")
        axis.set_title(f"codes of {family}", fontsize=9)
        axis.legend(fontsize=7)
    axes[0].set_ylabel("AUC")
    figure.tight_layout()
    return figure


def _intervals(axis: Axes, x: np.ndarray, differences: pd.DataFrame, label: str | None) -> None:
    """Differences with their intervals: columns are the value, its lower and its upper end."""
    value, low, high = differences.to_numpy().T
    axis.errorbar(x, value, [value - low, high - value], fmt="o", ms=4, capsize=3, label=label)


if __name__ == "__main__":
    with plt.rc_context(STYLE):
        draw(classes(), "classes.png")
        draw(decoys(), "decoys.png")
        save(lens_fit(), Path(__file__).with_name("lens_fit.png"))
        save(gan_claims(), Path(__file__).with_name("gan_long.png"))
        save(information_length(), Path(__file__).with_name("information_length.png"))
        if (CONFIG.parent / "galaxies").exists():
            draw(worlds(), "worlds.png", WORLD_COLUMNS)
