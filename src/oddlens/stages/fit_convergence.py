"""How often fits without the truth reach the optimum of fits that start at the truth: a model and shards to a table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from oddlens.data import shards
from oddlens.detectors.blocks.levenberg_marquardt import Fit
from oddlens.detectors.interface import loading
from oddlens.detectors.lensfit import LensFit
from oddlens.files.artefacts import write_table
from oddlens.files.progress import say
from oddlens.training.devices import pick_device

N_LIBRARY_FITS = 4
"""Lenses of a library from which a fit without a network starts."""
TOLERANCE = 0.01
"""Objectives whose relative difference is at most this belong to the same optimum."""
COLUMNS = ["initial_parameters", "class", "images", "converged", "reached", "missed", "steps"]


@torch.no_grad()
def fit_convergence(
    path: str | Path,
    model_path: str,
    shard_paths: Sequence[str],
    *,
    dataset: str,
    row: str,
    images: int,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Write a line for each class and each kind of `initial_parameters`, those of a network and those of a library.

    `images` is the number of fits. `converged` counts those that converged; `reached`, those that found the optimum of
    the fit that starts at the truth, or a better one; `missed`, those that did not find an optimum that exists. `steps`
    is the median number of steps.

    The truth of a lens with substructure is its smooth part. If neither fit converged, no optimum is reached or missed.

    Args:
        images: the largest number of images of each class.
    """
    torch.set_num_threads(threads)
    model, _ = loading.load(model_path)
    assert isinstance(model, LensFit)
    model.to(pick_device(device))
    kinds = {"library": model} if model.library_tries else {"network": model, "library": with_library(model)}
    lines = []
    for shard in map(shards.read, shard_paths):
        scaled = torch.from_numpy(shard.images[:images, None]).to(model.scale) / model.scale
        truth = torch.from_numpy(model.lens_model.parametrisation.of_scenes(shard.group("truth"))[:images]).to(scaled)
        parts = scaled.split(model.batch_size)
        from_truth = [model.fit_lenses(part, [t]) for part, t in zip(parts, truth.split(len(parts[0])), strict=True)]
        for initial, kind in kinds.items():
            results = [compare(kind.fit_lenses(part), best) for part, best in zip(parts, from_truth, strict=True)]
            converged, reached, missed, steps = np.concatenate(results, axis=1)
            counts = (len(scaled), *(int(n.sum()) for n in (converged, reached, missed)))
            cls = shard.attributes["class"]
            lines.append((initial, cls, *counts, np.median(steps)))
            say(f"{row} on {dataset}, {cls}, from a {initial}: {counts[2]} of {counts[0]} fits reached the optimum")
    write_table(path, pd.DataFrame(lines, columns=COLUMNS), kind="fit_convergence", dataset=dataset, detector=row)


def with_library(model: LensFit) -> LensFit:
    """The same lens fit with initial parameters of a library instead of a network."""
    assert model.simulation is not None
    settings = model.settings | {"library_tries": N_LIBRARY_FITS}
    other = LensFit.build(model.pixels, simulation=model.simulation, **settings).to(model.scale.device)
    common = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("library")}
    other.load_state_dict(common, strict=False)
    other.sample_lenses(torch.Generator(model.scale.device).manual_seed(0))
    other.load_state_dict(common, strict=False)
    return other.eval()


def compare(fit: Fit, from_truth: Fit) -> np.ndarray:
    """Whether fits converged, reached the optimum and missed it, and the number of their steps, [4, n]."""
    exists = fit.converged | from_truth.converged
    as_good = fit.objective <= (1 + TOLERANCE) * from_truth.objective
    reached = fit.converged & (as_good | ~from_truth.converged)
    return torch.stack([fit.converged, reached, exists & ~reached, fit.steps]).cpu().numpy()
