"""How exact the evidence of a fit of a real frame is: Laplace's method against importance sampling.

    python benchmarks/frame_evidence.py lens/data.fits

`oddlens fit` compares fits with and without a mass by Laplace's method, which takes the posterior of the nonlinear
parameters for a normal distribution. Importance sampling does not: parameters are drawn from a wider distribution
about the best ones, and each draw is weighted by its exact probability. The mean weight is the evidence,
whatever the posterior looks like near there. The prior of the source and the shape of the lens light are those of the
fit.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from oddlens.observations.frames import read_lens
from oddlens.observations.lens_index import read_lenses
from oddlens.observations.modelling.frame_fit import FrameFit, fit_frame
from oddlens.observations.modelling.frame_model import FrameModel
from oddlens.observations.modelling.frame_pixels import pixels_of_frame
from oddlens.observations.modelling.mass_refit import log_evidence, prior_with_mass
from oddlens.observations.modelling.optimiser import NonlinearFit, curvature
from oddlens.observations.modelling.perturber import Perturber
from oddlens.observations.modelling.priors import Prior

DEGREES, ROUNDS = 8, 3
"""Degrees of freedom of the distribution of the draws, Student's t, whose tails are wider than the normal one's. Each
round draws about the weighted mean of the one before: the evidence also depends on how many sources would fit as well,
so it is largest beside the best fit."""


def log_evidence_at(model: FrameModel, fit: NonlinearFit, prior: Prior, parameters: Tensor) -> float:
    """The logarithm of the evidence of the amplitudes times the prior, at parameters [p]."""
    linear = model.solve(model.columns(parameters), fit.linear.prior)
    size = prior.precision[prior.free].log().sum() - len(prior.free) * math.log(2 * math.pi)
    return linear.log_evidence - 0.5 * prior.penalty(parameters) + 0.5 * float(size)


def sampled_evidence(model: FrameModel, fit: NonlinearFit, prior: Prior, draws: int) -> tuple[float, float, float]:
    """The log evidence, its error, and the effective number of draws."""
    free, parameters = prior.free, fit.parameters.clone()
    scatter = torch.linalg.inv(curvature(model, fit.linear, prior).matrix[free][:, free]).numpy()
    centre = fit.parameters[free].numpy()
    for number in range(ROUNDS):
        proposal = stats.multivariate_t(centre, scatter, df=DEGREES, seed=number)
        drawn, log_weights = proposal.rvs(draws), []
        for draw in drawn:
            parameters[free] = torch.tensor(draw)
            log_weights.append(log_evidence_at(model, fit, prior, parameters) - proposal.logpdf(draw))
        largest = max(log_weights)
        weights = np.exp(np.array(log_weights) - largest)
        centre = weights @ drawn / weights.sum()
    effective = weights.sum() ** 2 / (weights**2).sum()
    return largest + math.log(weights.mean()), math.sqrt(1 / effective - 1 / draws), effective


def models(found: FrameFit) -> Iterator[tuple[str, FrameModel, NonlinearFit, Prior]]:
    """The fits without a mass, and with each."""
    yield "smooth", found.model, found.fit, found.prior
    for mass in found.masses:
        model = replace(found.model, mass=(*found.model.mass, Perturber(mass.profile)))
        own = prior_with_mass(found.prior, found.model.light_parameters.start, mass.scanned)
        yield f'mass at y {mass.y:.2f}", x {mass.x:.2f}"', model, mass.fit, own


def main() -> None:
    """Print both evidences of each fit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frame", type=Path)
    parser.add_argument("--pixel-scale", type=float, help="arcsec, if no file has it")
    parser.add_argument("--draws", type=int, default=300, help="of each round; default: %(default)s")
    parser.add_argument("--radius", type=float, help="arcsec, see `oddlens fit`")
    arguments = parser.parse_args()
    entry, *_ = read_lenses(arguments.frame, arguments.frame.stem, pixel_scale_arcsec=arguments.pixel_scale)
    pixels, _ = pixels_of_frame(read_lens(entry))
    found = fit_frame(pixels, arguments.radius)
    reference = None
    print(f"{'':28}{'Laplace':>10}{'sampled':>10}{'error':>7}{'effective draws':>17}   logarithms, over the smooth fit")
    for name, model, fit, every in models(found):
        shapes = torch.arange(len(every.mean)) >= model.light_parameters.start
        prior = Prior(every.mean, torch.where(shapes, 0.0, every.scatter))
        laplace = log_evidence(model, fit, prior)
        sampled, error, effective = sampled_evidence(model, fit, prior, arguments.draws)
        reference = laplace if reference is None else reference
        print(
            f"{name:28}{laplace - reference:10.2f}{sampled - reference:10.2f}{error:7.2f}{effective:17.0f}", flush=True
        )


if __name__ == "__main__":
    main()
