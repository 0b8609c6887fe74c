"""Toy lenses: frames, files, and a small study to compare them with."""

import json

import numpy as np
import pandas as pd
import yaml
from astropy.io import fits
from astropy.modeling.models import Gaussian2D, Sersic2D

from conftest import ROOT
from oddlens.config.study import parse_study
from oddlens.data import shards
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.model_files import save_model
from oddlens.files.artefacts import write_table
from oddlens.observations.frames import Frame

SCALE = 0.05  # arcsec


def gaussian(shape, centre, fwhm_arcsec, flux=1.0):
    y, x = np.indices(shape)
    sigma = fwhm_arcsec / 2.3548 / SCALE
    image = Gaussian2D(1, centre[1], centre[0], sigma, sigma)(x, y)
    return flux * image / image.sum()


def toy_lens(size=161, seed=0):
    """Lens light, a ring of radius 1.2 arcsec, and noise."""
    y, x = (np.indices((size, size)) - size // 2) * SCALE
    light = Sersic2D(0.05, 2.0, 1.2, 0.02, -0.01, 0.3, 0.4)(x, y) + Sersic2D(0.4, 0.5, 3.0, 0.0, 0.0, 0.15, 0.6)(x, y)
    ring = np.exp(-0.5 * ((np.hypot(x, y) - 1.2) / 0.07) ** 2) * (1 + 0.7 * np.cos(np.arctan2(y, x)))
    return light, 0.5 * ring, np.random.default_rng(seed).normal(0, 0.01, light.shape)


def write_lens(folder, size=161, noise_map=True, psf=True, **header):
    folder.mkdir()
    light, ring, noise = toy_lens(size)
    fits.PrimaryHDU(np.flipud(light + ring + noise), fits.Header(header)).writeto(folder / "data.fits")
    if noise_map:
        fits.PrimaryHDU(np.full(light.shape, 0.01)).writeto(folder / "noise_map.fits")
    if psf:
        fits.PrimaryHDU(0.95 * gaussian((21, 21), (10, 10), 0.1)).writeto(folder / "psf.fits")
    return folder


def write_index(folder, *rows):
    lines = ["name,band,pixel_scale_arcsec,data,noise,psf,mask,lens_light,claim", *rows]
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    return folder / "index.csv"


def toy_frame(image, psf=None, sigma=1e-3, masked=None):
    masked = np.zeros(image.shape, bool) if masked is None else masked
    return Frame("toy", image, np.full(image.shape, sigma), masked, psf, SCALE)


def write_toy_study(folder):
    """A study with one data set of 50 images, and its config; no models."""
    rng = np.random.default_rng(3)
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    images = {"train": 50, "contaminant": 10, "validation": 50, "test": 20}
    camera = {"pixels": 16, "pixel_scale_arcsec": 0.2, "psf": {"pixels": 9}, "over_sampling": 1}
    config |= {"study": "tiny", "only": ["flux", "pca"], "regression": None}
    config["datasets"] = {"toy": {"preset": "model_a", "images": images, "camera": camera}}
    config["contamination"] |= {"images": 50, "fractions": {}}
    config["training"] |= {"batch_size": 10}
    config["detectors"]["pca"] = {"components": 5}
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    simulation = parse_study(config).datasets["toy"].only("smooth").plain()
    y, x = (np.indices((16, 16)) - 7.5) * 0.2
    for pool, cls, count in (("validation", "smooth", 50), ("test", "smooth", 20), ("test", "cdm", 20)):
        clean = np.exp(-0.5 * ((np.hypot(x, y) - rng.uniform(1, 1.4, (count, 1, 1))) / 0.3) ** 2)
        clean += 0.3 * (cls == "cdm") * np.exp(-0.5 * (np.hypot(x - 1, y) / 0.2) ** 2)
        noisy = (clean + rng.normal(0, 0.01, clean.shape)).astype(np.float32)
        arrays = {"images": noisy, "index": np.arange(count), "noise_free": clean.astype(np.float32)}
        arrays |= {"truth/exposure_s": np.full(count, 1000.0), "truth/sky_per_arcsec2": np.ones(count)}
        arrays |= {"truth/zero_point_mag": np.full(count, 25.0)}
        about = {"dataset": "toy", "pool": pool, "class": cls, "seed": 1, "simulation": json.dumps(simulation)}
        shards.write(folder / "shards" / "toy" / pool / cls / "000.h5", shards.Shard(arrays, about))
    return folder


def add_toy_models(study):
    """Add two detectors that need no training to the toy study, each with two seeds, and their scores."""
    paths = [study / "shards/toy" / name / "000.h5" for name in ("validation/smooth", "test/smooth", "test/cdm")]
    data = [shards.read(path) for path in paths]
    images = np.concatenate([shard.images for shard in data])
    for name, keys in (("flux", {}), ("pca", {"components": 5})):
        scores = pd.concat([shard.table[["pool", "class", "index"]] for shard in data], ignore_index=True)
        for seed in (1, 2):
            model = loading.detector(name).build(16, **keys)
            model.fit(data[0].images, seed=seed)
            path = study / "models" / "toy" / name / f"seed-{seed}" / "none-0.safetensors"
            save_model(model, path, diverged=None, input="images", seed=seed)
            scores[f"none-0/{seed}"] = model.score(images)
        path = study / "scores" / "toy" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(path, scores, kind="scores", dataset="toy", detector=name, diverged={})
    return study
