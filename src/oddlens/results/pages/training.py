"""Trained models: the quality of sampled images, and models that diverged."""

import pandas as pd

from oddlens.results.pages.formatting import html_table
from oddlens.results.tables.columns import MODEL, TRAINING_SET, training_labels

MEASURES = {"sliced_wasserstein": "sliced Wasserstein", "frechet": "Fréchet", "variety": "variety"}


def sample_quality(table: pd.DataFrame) -> str | None:
    """Distances of samples from simulated images, means over seeds; in brackets those of held-out simulated images."""
    keys = [*TRAINING_SET, "detector"]
    means = table.groupby(keys, sort=False).mean(numeric_only=True).reset_index()
    shown = pd.DataFrame({"row": means["detector"], "training": training_labels(means)})
    for name, label in MEASURES.items():
        pairs = zip(means[name], means[f"{name}_floor"], strict=True)
        shown[label] = [f"{value:.3f} ({floor:.3f})" for value, floor in pairs]
    return html_table(shown)


def collapsed_models(samples: pd.DataFrame) -> list[str]:
    """Models whose samples are nearly the same image, as text."""
    lost = samples[samples["collapsed"].astype(bool)]
    names = zip(lost["detector"], lost["dataset"], training_labels(lost), lost["seed"], strict=True)
    return [f"{row} on {dataset}, {training}, seed {seed}" for row, dataset, training, seed in names]


def diverged_models(auc: pd.DataFrame) -> list[dict]:
    """Models whose training diverged: data set, row, training set and seed."""
    lost = auc[auc["status"] == "diverged"].drop_duplicates(["dataset", *MODEL])
    return lost.assign(training=training_labels(lost)).to_dict("records")
