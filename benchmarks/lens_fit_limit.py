"""What limits the AUC of `lensfit` on a data set of a study that has run.

    python benchmarks/lens_fit_limit.py results/physics model_c

The odds of the fits as they are, and of better ones:

* twin's variances: the source pixels have the prior of the fit to the smooth twin, which has not adapted to a mass;
* linear: the fit of the smooth twin is exact. The data are its linearised model, noise, and the true change by the
  substructure. What a lens can absorb is as in the real fit (all parameters free), or without source pixels;
* change known: the true change of each image is the only template. No scan for masses can have more.

Twins show what no user has. So these are limits, not scores.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from oddlens.data import shards
from oddlens.detectors.blocks.levenberg_marquardt import Fit, fit
from oddlens.detectors.blocks.linearised_model import linearise, safe_cholesky
from oddlens.detectors.blocks.projection import MIN_RELATIVE_POWER, Projection
from oddlens.detectors.interface import loading
from oddlens.detectors.lensfit import LensFit
from oddlens.lensing.substructure_classes import SMOOTH

DRAWS = 6
"""Draws of the noise of each linear image."""


def read(folder: Path, dataset: str, cls: str, count: int) -> tuple[Tensor, Tensor]:
    """Observed and noise-free test images [count, pixels, pixels] of a class, electrons / s / pixel."""
    parts = [shards.read(path) for path in sorted((folder / "shards" / dataset / "test" / cls).glob("*.h5"))]
    observed = np.concatenate([part.images for part in parts])[:count]
    exact = np.concatenate([part.arrays["noise_free"] for part in parts])[:count]
    return torch.tensor(observed, dtype=torch.float32), torch.tensor(exact, dtype=torch.float32)


def batches(count: int, size: int) -> list[slice]:
    """Slices that cover all images."""
    return [slice(start, start + size) for start in range(0, count, size)]


def fit_with_variances(model: LensFit, images: Tensor, start: Fit) -> Fit:
    """Fits whose prior has the precision of other fits, from the optima of these."""
    data, noise, population = model._data(images), model.noise(images), model.population
    parts = [
        fit(
            model.lens_model.image_and_derivatives,
            data[part],
            noise.of(part),
            population.prior(start.precision[part]),
            start.parameters[part],
            model.steps,
        )
        for part in batches(len(images), model.batch_size)
    ]
    return Fit(*map(torch.cat, zip(*parts, strict=True)))


def linear_odds(
    model: LensFit, twins: Tensor, fitted: Fit, changes: Tensor, free: slice, present: bool
) -> tuple[Tensor, Tensor]:
    """The log odds of linear images, and the significance of the change itself, [DRAWS * n] each.

    Args:
        twins: scaled smooth images, with their fits.
        changes: by the substructure, [n, pixels^2], electrons / s / pixel.
        free: the parameters that can absorb a change.
        present: whether the images have the change.
    """
    found, known, generator = [], [], torch.Generator().manual_seed(0)
    for part in batches(len(twins), model.batch_size):
        fits, noise = fitted.of(part), model.noise(twins[part])
        prior = model.population.prior(fits.precision)
        image = model.lens_model.image_and_derivatives(fits.parameters)
        linearised = linearise(model._data(twins[part]), image.image, image.jacobian, noise, prior, fits.parameters)
        jacobian = linearised.jacobian.double()[:, free]
        precision = torch.diag_embed(prior.precision.double()[:, free])
        factor, _ = safe_cholesky(jacobian @ jacobian.mT + precision)
        change = noise.whiten(changes[part] * noise.variance(image.image).rsqrt()).double()
        templates = torch.cat([model.scan._templates(image, noise).double(), change[:, None]], dim=1)
        absorbed = torch.linalg.solve_triangular(factor, jacobian @ templates.mT, upper=False)
        power = (templates.square().sum(dim=2) - absorbed.square().sum(dim=1)).clamp(min=1e-12)
        scanned = power[:, :-1].clamp(min=MIN_RELATIVE_POWER * power[:, :-1].amax(dim=1, keepdim=True))
        for _ in range(DRAWS):
            data = present * change + torch.randn(change.shape, generator=generator).double()
            of_data = torch.linalg.solve_triangular(factor, jacobian @ data[..., None], upper=False)
            overlap = (templates @ data[..., None] - absorbed.mT @ of_data)[..., 0]
            masses = Projection(overlap[:, :-1], scanned, absorbed[:, :, :-1].mT)
            found.append(masses.log_odds(model.scan.heaviest))
            known.append(overlap[:, -1] * power[:, -1].rsqrt())
    return torch.cat(found), torch.cat(known)


def auc(normal: Tensor, anomalous: Tensor) -> float:
    """The area under the ROC curve."""
    labels = np.repeat([0, 1], [len(normal), len(anomalous)])
    return float(roc_auc_score(labels, torch.cat([normal, anomalous]).numpy()))


@torch.no_grad()
def main(folder: Path, dataset: str, count: int, classes: list[str] | None) -> None:
    """Print the AUC of each class (by default of all, decoys included), for each of the limits."""
    path = next((folder / "models" / dataset).glob("lensfit/seed-*/none-0.safetensors"))
    model, _ = loading.load(path)
    assert isinstance(model, LensFit)
    found = sorted(each.name for each in (folder / "shards" / dataset / "test").iterdir())
    classes = [SMOOTH, *(classes or (cls for cls in found if cls != SMOOTH))]
    images, exact = zip(*(read(folder, dataset, cls, count) for cls in classes), strict=True)
    count = min(map(len, images))
    scaled = {cls: each[:count, None] / model.scale for cls, each in zip(classes, images, strict=True)}
    changes = [(each[:count] - exact[0][:count]).flatten(1) for each in exact]
    fits = {cls: model.fit_lenses(each) for cls, each in scaled.items()}
    twin, as_it_is, of_twin = fits[SMOOTH], {}, {}
    for cls, each in scaled.items():
        as_it_is[cls] = model.scan_residuals(each, fits[cls]).log_odds
        start = fits[cls]._replace(precision=twin.precision)
        of_twin[cls] = model.scan_residuals(each, fit_with_variances(model, each, start)).log_odds
    named = slice(len(model.lens_model.names))
    print(
        f"{count} images a class\n\n"
        "| class | as it is | twin's variances | linear | linear, profile only | change known |"
    )
    print("|---|---|---|---|---|---|")
    for cls, change in zip(classes[1:], changes[1:], strict=True):
        columns = [auc(odds[SMOOTH], odds[cls]) for odds in (as_it_is, of_twin)]
        limits = [
            [linear_odds(model, scaled[SMOOTH], twin, change, free, present) for present in (False, True)]
            for free in (slice(None), named)
        ]
        columns += [auc(without[0], with_change[0]) for without, with_change in limits]
        (_, without), (_, with_change) = limits[0]
        columns.append(auc(without, with_change))
        print(f"| {cls} | " + " | ".join(f"{value:.3f}" for value in columns) + " |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="results/STUDY of a study that has run")
    parser.add_argument("dataset")
    parser.add_argument("--images", type=int, default=48, help="of each class")
    parser.add_argument("--classes", nargs="+", help="default: all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    main(options.folder, options.dataset, options.images, options.classes)
