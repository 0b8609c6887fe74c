"""Fit one of the most anomalous images with PyAutoLens, with and without an additional mass, and compare the evidence.

The image and its noise map are those of an observer (`oddlens.observations.noise_map`). The models and the sampler are
in `oddlens.lensing.evidence`.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oddlens.data import shards
from oddlens.data.randomness import torch_seed
from oddlens.data.shards import Shard
from oddlens.data.splits import IDENTITY
from oddlens.files.artefacts import read_table
from oddlens.files.progress import duration, say
from oddlens.lensing import camera as cameras
from oddlens.lensing.evidence import LensFamily, MassPrior, ModelFit, ObservedImage, fit_model
from oddlens.lensing.simulation import Simulation
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.observations import noise_map
from oddlens.results.figures import style
from oddlens.results.figures.follow_up import follow_up_figure
from oddlens.results.tables.follow_up import COLUMNS, SCANNED
from oddlens.results.tables.result_files import write_result


def follow_up(
    table_path: str | Path,
    figure_path: str | Path,
    *,
    most_anomalous_path: str | Path,
    findings_path: str | Path | None,
    shard_paths: Sequence[str],
    dataset: str,
    row: str,
    rank: int,
    live: int,
    mass: Mapping[str, float],
    seed: int,
) -> None:
    """Fit the image with a rank among the most anomalous images of a row. Write a table with one line, and a figure.

    In the table, `log_bayes` is the log evidence with a mass minus that without. Masses and positions are medians with
    the 16 and 84 % quantiles of the posterior. `true_*` is the heaviest mass of the image, and `scan_*` are findings of
    a linear scan. A row without most anomalous images, because it diverged, gets an empty table.

    Args:
        most_anomalous_path: `tables/most_anomalous.csv`.
        findings_path: of the row, if it scans for masses; None otherwise.
        shard_paths: of the test images.
        rank: 1 is the most anomalous.
        live: number of live points of the sampler.
        mass: the prior of the mass; the keys of `MassPrior`.
        seed: the master seed.
    """
    image = _most_anomalous(most_anomalous_path, dataset, row, rank)
    if image is None:
        write_result(table_path, pd.DataFrame(columns=COLUMNS))
        style.save(style.message_figure(f"{row} has no most anomalous images on {dataset}."), figure_path)
        return
    shard, k = _find_image(shard_paths, image["class"], int(image["index"]))
    observed, truth = observe(shard, k), shard.one("truth", k)
    family = LensFamily(_assumed_simulation(shard, shard_paths), MassPrior(**mass), seed)
    began = time.perf_counter()
    smooth, with_mass = (_fit(observed, family, image["id"], with_mass, live, seed) for with_mass in (False, True))
    seconds = time.perf_counter() - began
    line = {name: image[name] for name in ("dataset", "detector", "rank", "id", "class", "false_alarm_probability")}
    line |= compare_fits(observed, smooth, with_mass, float(truth["area_per_msun"])) | {"seconds": round(seconds, 1)}
    line |= {f"true_{name}": truth.get(f"heaviest_{name}", np.nan) for name in ("mass_msun", "y_arcsec", "x_arcsec")}
    line |= scan_findings(findings_path, image, float(truth["area_per_msun"])) if findings_path else {}
    write_result(table_path, pd.DataFrame([line], columns=COLUMNS))
    with style.plt.rc_context(style.STYLE):
        style.save(follow_up_figure(observed, smooth, with_mass, line), figure_path)
    say(f"{image['id']}: ln B {line['log_bayes']:.2f} +- {line['log_bayes_error']:.2f} in {duration(seconds)}")


def _most_anomalous(path: str | Path, dataset: str, row: str, rank: int) -> dict[str, Any] | None:
    """The line of an image in `most_anomalous.csv`; None if there is none."""
    table = pd.read_csv(path)
    lines = table[(table["dataset"] == dataset) & (table["detector"] == row) & (table["rank"] == rank)]
    return {str(name): value for name, value in lines.iloc[0].items()} if len(lines) else None


def _find_image(paths: Sequence[str], cls: str, index: int) -> tuple[Shard, int]:
    """The shard of an image, and the position of the image in it."""
    for shard in (shards.read(path) for path in paths if Path(path).parent.name == cls):
        if len(positions := np.flatnonzero(shard.arrays["index"] == index)):
            return shard, int(positions[0])
    raise ValueError(f"no shard has image {index} of {cls}: simulate the data set again")


def _assumed_simulation(shard: Shard, paths: Sequence[str]) -> Simulation:
    """What an observer assumes of a lens: of a variant, what holds for the data set and not what differs in it."""
    if shard.variant:
        shard = shards.read(next(path for path in paths if Path(path).parent.name == SMOOTH))
    return Simulation.model_validate(json.loads(shard.attributes["simulation"]))


def _fit(observed: ObservedImage, family: LensFamily, name: str, with_mass: bool, live: int, seed: int) -> ModelFit:
    fit_seed = torch_seed(seed, "follow", name, int(with_mass))
    fit = fit_model(observed, family, with_mass=with_mass, live=live, seed=fit_seed)
    model, posterior = "with a mass" if with_mass else "smooth", fit.posterior
    say(f"{name}, {model}: ln Z {posterior.log_evidence:.2f} +- {posterior.error:.2f}, {posterior.calls:,} likelihoods")
    return fit


def observe(shard: Shard, k: int) -> ObservedImage:
    """Image k of a shard with its noise map and PSF, in flux / arcsec^2."""
    camera, truth = Simulation.model_validate(json.loads(shard.attributes["simulation"])).camera, shard.group("truth")
    psfs = cameras.psf_kernels(cameras.with_psf(camera, shard.arrays.get("psf")), truth)
    psf = psfs[k % len(psfs)]
    sigma = noise_map.noise_map(shard.images[k], {n: float(v) for n, v in shard.one("truth", k).items()}, camera, psf)
    scale = camera.pixel_scale_arcsec
    unit = cameras.electrons_per_flux(truth)[k] * scale**2
    return ObservedImage(shard.images[k] / unit, sigma / unit, psf, scale)


def compare_fits(
    observed: ObservedImage, smooth: ModelFit, with_mass: ModelFit, area_per_msun: float
) -> dict[str, Any]:
    """Evidence, chi-square, and the mass and its position, by the columns of the table.

    Args:
        area_per_msun: Einstein radius squared of a solar mass, arcsec^2.
    """
    columns: dict[str, Any] = {
        "pixels": observed.image.size,
        "calls": smooth.posterior.calls + with_mass.posterior.calls,
    }
    for name, fit in (("smooth", smooth), ("with_mass", with_mass)):
        columns[f"log_evidence_{name}"] = fit.posterior.log_evidence
        columns[f"log_evidence_{name}_error"] = fit.posterior.error
        columns[f"chi_square_{name}"] = float(np.square((observed.image - fit.image) / observed.sigma).sum())
    columns["log_bayes"] = columns["log_evidence_with_mass"] - columns["log_evidence_smooth"]
    errors = columns["log_evidence_with_mass_error"], columns["log_evidence_smooth_error"]
    columns["log_bayes_error"] = float(np.hypot(*errors))
    for name, parameter, unit in (("mass_msun", "area", area_per_msun), ("y_arcsec", "y", 1), ("x_arcsec", "x", 1)):
        low, median, high = with_mass.quantiles("mass", parameter) / unit
        columns |= {f"{name}_low": low, name: median, f"{name}_high": high}
    return columns


def scan_findings(path: str | Path, image: Mapping[str, Any], area_per_msun: float) -> dict[str, float]:
    """The findings of the first model of a row that scans for masses, by the columns of the table.

    Empty if the row has no such findings.
    """
    findings, _ = read_table(path, "findings")
    lines = findings[(findings[IDENTITY] == [image[name] for name in IDENTITY]).all(axis=1)]
    if not len(lines) or not {*SCANNED, "area_arcsec2"} <= set(lines):
        return {}
    first = lines.iloc[0]
    columns = {name: float(first[finding]) for finding, name in SCANNED.items()}
    return columns | {"scan_mass_msun": float(first["area_arcsec2"]) / area_per_msun}
