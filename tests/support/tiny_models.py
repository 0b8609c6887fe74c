"""A small study and models that are published from it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
from astropy.io import fits

from oddlens.config.presets import preset_simulation
from oddlens.data import shards
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.image_module import KnownCamera
from oddlens.detectors.interface.model_files import save_model
from oddlens.files.artefacts import write_table
from oddlens.lensing.simulation import Simulation
from oddlens.stages.mini_set import mini_set
from oddlens.stages.publish import Publication, StudyFiles, publish

PIXELS, COUNT = 16, 60
ROWS = {
    "dcae": {"latent": 4, "width": 16, "depth": 1, "symmetric": False},
    "flux": {},
    "lone": {"latent": 4, "width": 16, "depth": 1},
}
ABOUT = {
    "dataset": "toy",
    "training_set": "none-0",
    "seed": 1,
    "input": "images",
    "training": {"epochs": 1},
    "losses": {},
}
ABOUT |= {"code": {"commit": "c0ffee", "dirty": False}, "versions": {"torch": "2"}, "device": "a processor"}
MEASURED = {"dataset": "toy", "contaminant": "none", "contamination": 0, "anomaly": "all", "auc": 0.75}


def rings(count, seed, broken=False):
    """Noisy rings, of which odd ones have a gap; electrons / s."""
    rng = np.random.default_rng(seed)
    y, x = (np.indices((PIXELS, PIXELS)) - (PIXELS - 1) / 2) * 0.4
    images = np.exp(-0.5 * ((np.hypot(x, y) - rng.uniform(1.5, 2.2, (count, 1, 1))) / 0.5) ** 2)
    images = images * (1 - broken * np.exp(-(x**2 + (y - 2) ** 2)))
    return (images + rng.normal(0, 0.02, images.shape)).astype(np.float32)


def write_study(place):
    """The files of a study of three rows in a folder."""
    camera = {"pixels": PIXELS, "pixel_scale_arcsec": 0.4, "psf": {"pixels": 9}}
    lenses = preset_simulation("model_a", above={"camera": camera})
    truth = {"exposure_s": 1000.0, "sky_per_arcsec2": 1.0, "zero_point_mag": 25.0}
    for k, (pool, cls) in enumerate([("validation", "smooth"), ("test", "smooth"), ("test", "cdm")]):
        arrays = {"images": rings(COUNT, k, cls != "smooth"), "index": np.arange(COUNT)}
        arrays |= {f"truth/{name}": np.full(COUNT, value) for name, value in truth.items()}
        about = {"dataset": "toy", "pool": pool, "class": cls, "seed": 7, "pixel_scale_arcsec": 0.4}
        about["simulation"] = json.dumps(Simulation.model_validate(lenses.plain()).only("smooth").plain())
        shards.write(place / f"{pool}-{cls}.h5", shards.Shard(arrays, about))
    validation = shards.read(place / "validation-smooth.h5").images
    for row, settings in ROWS.items():
        model = loading.detector(row if row == "flux" else "dcae").build(PIXELS, seed=1, **settings)
        training = {"epochs": 1, "batch_size": 20} if settings else {}
        model.fit(rings(80, 9), seed=1, camera=KnownCamera(1e-3, 2e-4, 2.1), training=training)
        save_model(model, place / f"{row}.safetensors", **ABOUT, row=row, diverged=None)
        table = pd.DataFrame({"pool": "validation", "class": "smooth", "index": range(COUNT)})
        write_table(place / f"{row}.csv", table.assign(**{"none-0/1": model.score(validation)}), kind="scores")
    rows = pd.DataFrame([MEASURED | {"detector": row} for row in ROWS])
    auc = rows.assign(seed=1, auc_low=0.7, auc_high=0.8, n_normal=COUNT, n_anomalous=COUNT)
    auc.to_csv(place / "auc.csv", index=False)
    rows.assign(seed_low=np.nan, seed_high=np.nan, seeds=1).to_csv(place / "summary.csv", index=False)
    split = pd.DataFrame({"pool": "train", "class": "smooth", "index": range(80), "none-0": 1, "known": 0})
    write_table(place / "split.csv", split, kind="splits")
    return place


def publish_row(study, folder, row, **changes):
    """Publish a row of the study in a folder; `changes` are entries of `StudyFiles`."""
    place = folder / "toy"
    if not (place / "mini.h5").is_file():
        mini_set(place / "mini.h5", [study / f"test-{cls}.h5" for cls in ("smooth", "cdm")])
    files = StudyFiles(
        model=study / f"{row}.safetensors",
        validation=[study / "validation-smooth.h5"],
        mini=place / "mini.h5",
        scores=study / f"{row}.csv",
        split=study / "split.csv",
        auc=study / "auc.csv",
        summary=study / "summary.csv",
    )
    publication = Publication(
        dataset="toy",
        row=row,
        scoring={},
        smooth="smooth",
        description="A made-up detector",
        study="tiny",
        seed=7,
        licence="MIT",
    )
    publish(place / f"{row}.safetensors", place / f"{row}.md", replace(files, **changes), publication)


def write_fits(path, image, *units, **header):
    """Write an image as the first unit of a FITS file; its row 0 is the top."""
    primary = fits.PrimaryHDU(np.flipud(image) if image.ndim == 2 else image, fits.Header(header))
    fits.HDUList([primary, *units]).writeto(path)
    return path
