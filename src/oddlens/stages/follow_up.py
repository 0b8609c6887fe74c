"""Look closely at one of the oddest images: is a mass in its lens, and where, by PyAutoLens's own model fit?

The image and its noise are what an observer would have (`oddlens.observations.noise_map`); `lensing/evidence.py` has
the models.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oddlens.data import shards
from oddlens.data.randomness import torch_seed
from oddlens.data.shards import Shard
from oddlens.data.splits import IDENTITY
from oddlens.files.artefacts import read_table
from oddlens.files.progress import duration, say
from oddlens.lensing import camera as cameras
from oddlens.lensing.evidence import LensFamily, MassPrior, ModelFit, ObservedImage, fit_model
from oddlens.lensing.simulation import Simulation
from oddlens.observations import noise_map
from oddlens.results.figures import style
from oddlens.results.tables.follow_up import COLUMNS, SCANNED
from oddlens.results.tables.result_files import write_result

SPAN = 4.0
"""Of what is left over, in units of the noise."""
PLACES = 24
"""Bins along a side of the map of places."""


def follow_up(
    table_path: str | Path,
    picture_path: str | Path,
    *,
    most_anomalous_path: str | Path,
    findings_path: str | Path | None,
    shard_paths: list[str],
    dataset: str,
    row: str,
    rank: int,
    live: int,
    mass: Mapping[str, float],
    seed: int,
) -> None:
    """Write what both models say of the image at a `rank` among the oddest of a row, in one line, and draw it.

    `log_bayes` is the difference of the log evidences, with a mass less without; masses and positions are medians with
    16 to 84 % of the posterior; `true_*` is of the heaviest mass of the image. A row that has no oddest images, because
    it diverged, leaves an empty table.

    Args:
        most_anomalous_path: `tables/most_anomalous.csv`.
        findings_path: of a row that scans, which the first model's `odds` are taken from; None if there is none.
        shard_paths: of the test images.
        live: points of the sampler.
        mass: what is assumed of it; the keys of `evidence.MassPrior`.
        seed: the master seed.
    """
    oddest = pd.read_csv(most_anomalous_path)
    chosen = oddest[(oddest["dataset"] == dataset) & (oddest["detector"] == row) & (oddest["rank"] == rank)]
    if not len(chosen):
        write_result(table_path, pd.DataFrame(columns=COLUMNS))
        return style.save(style.message_figure(f"{row} has no oddest images on {dataset}."), picture_path)
    named: dict[str, Any] = {str(name): value for name, value in chosen.iloc[0].items()}
    shard, k = _shard_of(shard_paths, named["class"], int(named["index"]))
    observed = observation(shard, k)
    family = LensFamily(Simulation.model_validate(json.loads(shard.attributes["simulation"])), MassPrior(**mass), seed)

    def fit(odd: bool) -> ModelFit:
        made = fit_model(
            observed, family, with_mass=odd, live=live, seed=torch_seed(seed, "follow", named["id"], int(odd))
        )
        what, found = "with a mass" if odd else "smooth", made.posterior
        say(f"{named['id']}, {what}: ln Z {found.log_evidence:.2f} +- {found.error:.2f}, {found.calls:,} likelihoods")
        return made

    began = time.perf_counter()
    smooth, odd = fit(False), fit(True)
    seconds = time.perf_counter() - began
    truth = shard.one("truth", k)
    line = {name: named[name] for name in ("dataset", "detector", "rank", "id", "class", "false_alarm_probability")}
    line |= compared(observed, smooth, odd, float(truth["area_per_msun"])) | {"seconds": round(seconds, 1)}
    line |= {f"true_{name}": truth.get(f"heaviest_{name}", np.nan) for name in ("mass_msun", "y_arcsec", "x_arcsec")}
    line |= scanned(findings_path, named, float(truth["area_per_msun"])) if findings_path else {}
    write_result(table_path, pd.DataFrame([line], columns=COLUMNS))
    with style.plt.rc_context(style.STYLE):
        style.save(picture(observed, smooth, odd, line), picture_path)
    say(f"{named['id']}: ln B {line['log_bayes']:.2f} +- {line['log_bayes_error']:.2f} in {duration(seconds)}")


def _shard_of(paths: list[str], cls: str, index: int) -> tuple[Shard, int]:
    """The shard of an image, and the image's place in it."""
    for shard in (shards.read(path) for path in paths if Path(path).parent.name == cls):
        if len(found := np.flatnonzero(shard.arrays["index"] == index)):
            return shard, int(found[0])
    raise ValueError(f"no shard has image {index} of {cls}")


def observation(shard: Shard, k: int) -> ObservedImage:
    """Image k of a shard as its observer has it, in flux / arcsec^2."""
    camera, truth = Simulation.model_validate(json.loads(shard.attributes["simulation"])).camera, shard.group("truth")
    psfs = cameras.psf_kernels(camera, truth)
    psf = psfs[k % len(psfs)]
    sigma = noise_map.noise_map(shard.images[k], {n: float(v) for n, v in shard.one("truth", k).items()}, camera, psf)
    scale = camera.pixel_scale_arcsec
    unit = cameras.electrons_per_flux(truth)[k] * scale**2
    return ObservedImage(shard.images[k] / unit, sigma / unit, psf, scale)


def compared(observed: ObservedImage, smooth: ModelFit, odd: ModelFit, area_per_msun: float) -> dict[str, Any]:
    """What two fits say, by the names of the table."""
    told: dict[str, Any] = {"pixels": observed.image.size, "calls": smooth.posterior.calls + odd.posterior.calls}
    for name, fit in (("smooth", smooth), ("with_mass", odd)):
        told[f"log_evidence_{name}"] = fit.posterior.log_evidence
        told[f"log_evidence_{name}_error"] = fit.posterior.error
        told[f"chi_square_{name}"] = float(np.square((observed.image - fit.image) / observed.sigma).sum())
    told["log_bayes"] = told["log_evidence_with_mass"] - told["log_evidence_smooth"]
    told["log_bayes_error"] = float(np.hypot(told["log_evidence_with_mass_error"], told["log_evidence_smooth_error"]))
    for name, parameter, unit in (("mass_msun", "area", area_per_msun), ("y_arcsec", "y", 1), ("x_arcsec", "x", 1)):
        told[f"{name}_low"], told[name], told[f"{name}_high"] = odd.quantiles("mass", parameter) / unit
    return told


def scanned(path: str | Path, named: Mapping[str, Any], area_per_msun: float) -> dict[str, float]:
    """What the first model of a row that scans found in an image, by the names of the table."""
    findings, _ = read_table(path, "findings")
    found = findings[(findings[IDENTITY] == [named[name] for name in IDENTITY]).all(axis=1)]
    if not len(found) or not {*SCANNED, "area_arcsec2"} <= set(found):
        return {}
    first = found.iloc[0]
    told = {name: float(first[column]) for column, name in SCANNED.items()}
    return told | {"scan_mass_msun": float(first["area_arcsec2"]) / area_per_msun}


def picture(observed: ObservedImage, smooth: ModelFit, odd: ModelFit, line: Mapping[str, Any]) -> Figure:
    """The image, the best lens of either model with what it leaves over, and where the mass may be."""
    half = len(observed.image) * observed.pixel_scale_arcsec / 2
    view: dict[str, Any] = {"extent": (-half, half, -half, half)}
    light = {"cmap": style.IMAGE_CMAP, "vmin": 0.0, "vmax": float(observed.image.max())}
    left = {"cmap": style.DIFFERENCE_CMAP, "vmin": -SPAN, "vmax": SPAN}
    panels = [("observed", observed.image, light)]
    for name, fit in (("smooth", smooth), ("with a mass", odd)):
        over = (observed.image - fit.image) / observed.sigma
        panels += [(f"best, {name}", fit.image, light), (f"left over [σ], χ² {np.square(over).sum():.0f}", over, left)]
    figure, axes = style.plt.subplots(1, len(panels) + 1, figsize=(2.05 * (len(panels) + 1), 2.5))
    for axis, (name, image, look) in zip(axes, panels, strict=False):
        axis.imshow(image, **look, **view)
        axis.set_title(name, fontsize=8)
    points, weights = odd.posterior.points, odd.posterior.weights
    y, x = (points[:, odd.index("mass", name)] for name in ("y", "x"))
    edges = np.linspace(-half, half, 1 + PLACES)
    axes[-1].hist2d(x, y, bins=[edges, edges], weights=weights, cmap=style.MAP_CMAP)
    axes[-1].contour(odd.image[::-1], [odd.image.max() / 3], colors="w", linewidths=0.5, **view)
    axes[-1].set_title("where the mass may be", fontsize=8)
    for axis in (axes[2], axes[-1]):
        axis.plot(
            line["true_x_arcsec"], line["true_y_arcsec"], "+", color="k" if axis is axes[2] else "c", ms=7, mew=0.8
        )
    for axis in axes:
        axis.set(xticks=[], yticks=[], xlim=(-half, half), ylim=(-half, half), aspect="equal")
    bayes = f"{line['log_bayes']:+.1f} ± {line['log_bayes_error']:.1f}".replace("-", "−")
    figure.suptitle(f"{line['id']}: ln B = {bayes}", fontsize=10)
    return figure
