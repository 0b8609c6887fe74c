"""How often blind fits end where fits that start from the truth do: a model and shards to a table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from oddlens.data import shards
from oddlens.detectors.blocks.levenberg import Fit
from oddlens.detectors.interface import loading
from oddlens.detectors.lensfit import LensFit
from oddlens.files.artefacts import write_table
from oddlens.files.progress import say
from oddlens.training.loop import pick_device

TRIES = 4
"""Starts out of a library, which a fit could do with instead of its network."""
ALIKE = 0.01
"""Objectives that differ by no more than this part are those of one optimum."""
COLUMNS = ["start", "class", "images", "converged", "reached", "missed", "steps"]


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
    """Write a row for each class and `start`, that of a network and that out of a library: how many `images`, how many
    fits `converged`, and how many of all `reached` the optimum found from the truth, or a better one; how many `missed`
    one that is there; the median of `steps` of a fit.

    The truth of a lens with substructure is its smooth part. Where neither fit converged, none is reached or missed.

    Args:
        images: of each class, at most.
    """
    torch.set_num_threads(threads)
    model, _ = loading.load(model_path)
    assert isinstance(model, LensFit)
    model.to(pick_device(device))
    kinds = {"library": model} if model.tries else {"network": model, "library": with_library(model)}
    lines = []
    for shard in map(shards.read, shard_paths):
        seen = torch.from_numpy(shard.images[:images, None]).to(model.scale) / model.scale
        truth = torch.from_numpy(model.model.parameters_of(shard.group("truth"))[:images]).to(seen)
        parts = seen.split(model.at_once)
        best = [model.fitted(*both) for both in zip(parts, ([t] for t in truth.split(len(parts[0]))), strict=True)]
        for start, kind in kinds.items():
            found = [compared(kind.fitted(part), there) for part, there in zip(parts, best, strict=True)]
            converged, reached, missed, steps = np.concatenate(found, axis=1)
            counts = (len(seen), *(int(n.sum()) for n in (converged, reached, missed)))
            lines.append((start, shard.attributes["class"], *counts, np.median(steps)))
            say(f"{row} on {dataset}, {lines[-1][1]}, from a {start}: {counts[2]} of {counts[0]} reached the optimum")
    write_table(path, pd.DataFrame(lines, columns=COLUMNS), kind="fit_convergence", dataset=dataset, detector=row)


def with_library(model: LensFit) -> LensFit:
    """The same fit with a library in place of its network."""
    assert model.simulation is not None
    other = LensFit.build(model.pixels, simulation=model.simulation, **model.settings | {"tries": TRIES}).to(
        model.scale.device
    )
    known = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("library")}
    other.load_state_dict(known, strict=False)
    other.draw_lenses(torch.Generator(model.scale.device).manual_seed(0))
    other.load_state_dict(known, strict=False)
    return other.eval()


def compared(blind: Fit, best: Fit) -> np.ndarray:
    """Whether fits converged, reached the optimum and missed it, and their steps, [4, n]."""
    there = blind.converged | best.converged
    as_good = blind.objective <= (1 + ALIKE) * best.objective
    reached = blind.converged & (as_good | ~best.converged)
    return torch.stack([blind.converged, reached, there & ~reached, blind.steps]).cpu().numpy()
