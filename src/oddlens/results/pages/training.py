"""Trained models: the quality of sampled images, and models that diverged."""

from collections.abc import Collection

import pandas as pd

from oddlens.results.pages.formatting import html_table
from oddlens.results.tables.columns import MODEL, TRAINING_SET, training_labels_of

MEASURES = {"sliced_wasserstein": "sliced Wasserstein", "frechet": "Fréchet", "variety": "variety"}


def sample_quality(table: pd.DataFrame, own: Collection[str] = ()) -> str | None:
    """Distances of samples from normal images, means over seeds; in brackets those of held-out normal images.

    Args:
        table: lines of `samples.csv` of one data set.
        own: data sets of the user's own images.
    """
    keys = ["dataset", *TRAINING_SET, "detector"]
    means = table.groupby(keys, sort=False).mean(numeric_only=True).reset_index()
    shown = pd.DataFrame({"row": means["detector"], "training": training_labels_of(means, own)})
    for name, label in MEASURES.items():
        pairs = zip(means[name], means[f"{name}_floor"], strict=True)
        shown[label] = [f"{value:.3f} ({floor:.3f})" for value, floor in pairs]
    return html_table(shown)


def collapsed_models(samples: pd.DataFrame, own: Collection[str] = ()) -> list[str]:
    """Models whose samples are nearly the same image, as text."""
    lost = samples[samples["collapsed"].astype(bool)]
    names = zip(lost["detector"], lost["dataset"], training_labels_of(lost, own), lost["seed"], strict=True)
    return [f"{row} on {dataset}, {training}, seed {seed}" for row, dataset, training, seed in names]


def diverged_models(auc: pd.DataFrame, own: Collection[str] = ()) -> list[dict]:
    """Models whose training diverged: data set, row, training set and seed."""
    lost = auc[auc["status"] == "diverged"].drop_duplicates(["dataset", *MODEL])
    return lost.assign(training=training_labels_of(lost, own)).to_dict("records")
