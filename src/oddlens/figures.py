"""The figures of one data set. Reads score tables, loss tables and the examples beside them; no model, no torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oddlens import metrics, tables
from oddlens.artefacts import read_arrays, read_table, replacing
from oddlens.cells import CLEAN, parse_cell

STYLE: Any = {
    "figure.dpi": 110,
    "savefig.bbox": "tight",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
IMAGES, DIFFERENCES = "inferno", "RdBu_r"


def save(figure: Figure, path: Path | str) -> None:
    """Write a PNG without a date in it, so that equal figures are equal files."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    plt.close(figure)


def colours(detectors: list[str]) -> dict[str, tuple]:
    """A colour for each detector, the same in all figures of a study."""
    return dict(zip(detectors, plt.get_cmap("tab20" if len(detectors) > 10 else "tab10").colors, strict=False))  # type: ignore[attr-defined]


def roc_curves(scores: Mapping[str, pd.DataFrame], smooth: str, title: str) -> Figure:
    """ROC curves after clean training, a panel per anomaly; `scores` by detector, the first seed is drawn."""
    column = next(c for c in tables.models(next(iter(scores.values()))) if parse_cell(c.partition("/")[0])[0] == CLEAN)
    anomalies = [name for name, *_ in tables.comparisons(next(iter(scores.values())), column, smooth)]
    figure, axes = plt.subplots(1, len(anomalies), figsize=(3.4 * len(anomalies), 3.6), squeeze=False, sharey=True)
    colour = colours(list(scores))
    for detector, table in scores.items():
        for axis, (anomaly, normal, anomalous) in zip(axes[0], tables.comparisons(table, column, smooth), strict=True):
            fpr, tpr = metrics.roc(normal.to_numpy(), anomalous.to_numpy())
            auc, _ = metrics.auc_with_variance(normal.to_numpy(), anomalous.to_numpy())
            axis.plot(fpr, tpr, color=colour[detector], lw=1.4, label=f"{detector}  {auc:.3f}")
            axis.set_title(f"{smooth} vs {anomaly}")
    for axis in axes[0]:
        axis.plot([0, 1], [0, 1], color="0.7", lw=0.8, ls=":")
        axis.set(xlabel="false positive rate", aspect="equal", xlim=(0, 1), ylim=(0, 1.005))
        axis.legend(title="AUC", loc="lower right")
    axes[0][0].set_ylabel("true positive rate")
    figure.suptitle(title, fontsize=11)
    return figure


def contamination_curves(auc: pd.DataFrame, title: str) -> Figure:
    """AUC against the contamination of the training set, a panel per contaminant and anomaly, with intervals."""
    kinds = [kind for kind in auc["contaminant"].unique() if kind != CLEAN] or [CLEAN]
    anomalies = list(auc["anomaly"].unique())
    figure, axes = plt.subplots(
        len(anomalies),
        len(kinds),
        figsize=(3.1 * len(kinds), 2.3 * len(anomalies)),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    colour = colours(list(auc["detector"].unique()))
    for row, anomaly in zip(axes, anomalies, strict=True):
        for axis, kind in zip(row, kinds, strict=True):
            for detector, colour_of in colour.items():
                chosen = auc[
                    auc["contaminant"].isin([CLEAN, kind]) & (auc["anomaly"] == anomaly) & (auc["detector"] == detector)
                ]
                _curve(axis, chosen, colour_of, detector)
            axis.axhline(0.5, color="0.7", lw=0.8, ls=":")
            axis.set_title(f"{anomaly} found, {kind} hidden")
    for axis in axes[-1]:
        axis.set_xlabel("contaminated fraction")
    for row in axes:
        row[0].set_ylabel("AUC")
    axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return figure


def _curve(axis: Axes, rows: pd.DataFrame, colour: tuple, label: str) -> None:
    """Mean over seeds with the mean interval over test images, and each seed as a dot."""
    means = rows.groupby("contamination")[["auc", "auc_low", "auc_high"]].mean()
    below, above = means["auc"] - means["auc_low"], means["auc_high"] - means["auc"]
    axis.errorbar(
        means.index, means["auc"], yerr=[below, above], color=colour, marker="o", ms=3, lw=1.3, capsize=2, label=label
    )
    axis.plot(rows["contamination"], rows["auc"], ".", color=colour, ms=3, alpha=0.6)


def gallery(examples: Mapping[str, Path | str], title: str) -> Figure:
    """Smooth lenses and their odd twins, the difference, and what each detector makes of the odd one."""
    loaded = {detector: read_arrays(path) for detector, path in examples.items()}
    arrays, about = next(iter(loaded.values()))
    images, classes = arrays["images"], about["classes"].split(",")  # [class, example, pixels, pixels]
    rebuilt = {d: a["reconstructions"] for d, (a, _) in loaded.items() if "reconstructions" in a}
    columns = [
        "smooth",
        "odd twin",
        "odd - smooth",
        *(f"{d}\n{what}" for d in rebuilt for what in ("rebuilt", "residual")),
    ]
    pairs = [(c, k) for k in range(images.shape[1]) for c in range(1, len(classes))]
    figure, axes = plt.subplots(
        len(pairs), len(columns), figsize=(1.35 * len(columns), 1.42 * len(pairs)), squeeze=False
    )
    for row, (c, k) in zip(axes, pairs, strict=True):
        smooth, odd = images[0, k], images[c, k]
        top, span = float(smooth.max()), 0.25 * float(smooth.max())
        panels = [(smooth, False), (odd, False), (odd - smooth, True)]
        for reconstruction in rebuilt.values():
            panels += [(reconstruction[c, k], False), (odd - reconstruction[c, k], True)]
        for axis, (panel, signed) in zip(row, panels, strict=True):
            limits = (
                {"cmap": DIFFERENCES, "vmin": -span, "vmax": span}
                if signed
                else {"cmap": IMAGES, "vmin": 0, "vmax": top}
            )
            axis.imshow(panel, **limits)
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(f"{classes[c]}, {k}")
    for axis, name in zip(axes[0], columns, strict=True):
        axis.set_title(name, fontsize=8)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(pad=0.3, rect=(0, 0, 1, 0.97))
    return figure


def loss_curves(losses: Mapping[str, Sequence[Path | str]], title: str) -> Figure:
    """Loss against epoch, a panel per detector trained by epochs, a line per training set, seed and objective."""
    by_detector = {d: [read_table(path)[0] for path in paths] for d, paths in losses.items()}
    trained = {d: found for d, found in by_detector.items() if any(len(table) for table in found)}
    figure, axes = plt.subplots(1, max(len(trained), 1), figsize=(3.6 * max(len(trained), 1), 2.8), squeeze=False)
    for axis, (detector, found) in zip(axes[0], trained.items(), strict=False):
        cells = list(dict.fromkeys(cell for table in found for cell in table["cell"]))
        for cell, colour in zip(cells, plt.get_cmap("viridis")(np.linspace(0, 0.85, len(cells))), strict=True):
            lines = [line for t in found for _, line in t[t["cell"] == cell].groupby("objective")]
            for k, line in enumerate(lines):  # one entry in the legend
                axis.plot(line["epoch"], line["loss"], color=colour, lw=1, label=None if k else cell)
        axis.set(title=detector, xlabel="epoch", ylabel="loss")
        positive = all((table["loss"] > 0).all() for table in found)
        axis.set_yscale("log" if positive else "symlog")
        axis.legend()
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return figure


def draw(
    outputs: Mapping[str, str],
    *,
    dataset: str,
    smooth: str,
    auc_path: str,
    scores: Mapping[str, str],
    examples: Mapping[str, str],
    losses: Mapping[str, Sequence[str]],
) -> None:
    """All figures of one data set; inputs are by detector, outputs by figure."""
    auc = pd.read_csv(auc_path)
    tabled = {detector: tables.read_scores(path)[0] for detector, path in scores.items()}
    with plt.rc_context(STYLE):
        save(roc_curves(tabled, smooth, f"{dataset}: clean training"), outputs["roc"])
        save(
            contamination_curves(auc[auc["dataset"] == dataset], f"{dataset}: contaminated training"),
            outputs["contamination"],
        )
        save(gallery(examples, f"{dataset}: twins"), outputs["gallery"])
        save(loss_curves(losses, f"{dataset}: training"), outputs["losses"])
