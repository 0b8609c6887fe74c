"""The population of smooth lenses that a lens fit assumes: the prior of its parameters, lens light, and noise.

All of it is measured on lenses sampled from the priors of a simulation.
"""

from collections.abc import Callable, Collection, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from oddlens.detectors.blocks.levenberg_marquardt import Fit
from oddlens.detectors.blocks.linearised_model import NormalPrior, linearise, log_evidence
from oddlens.detectors.blocks.noise_model import NoiseModel
from oddlens.lensing import scene
from oddlens.lensing.camera import decorrelation
from oddlens.lensing.lens_light_residual import TYPICAL_LIGHT, lens_light, principal_components
from oddlens.lensing.model import LensModel
from oddlens.lensing.scene import Scenes
from oddlens.lensing.simulation import Simulation
from oddlens.lensing.substructure_classes import SMOOTH

MIN_SCATTER, FIXED_PARAMETER_SCATTER, MULTIPOLE_SCATTER = 1e-3, 0.1, 0.02
"""A parameter whose scatter is below the first is fixed by the priors of the simulation. The fit leaves it free with
the second as its scatter, because dark matter may change it. A multipole has the third: lenses have about 0.01 (Stacey
et al. 2024, arXiv:2403.04850)."""
DECOY_MULTIPOLE_SCATTER, DECOY_LENS_LIGHT_SCATTER = 0.03, 3.0
"""Smallest widths of the priors of fits that allow for larger multipoles (arcsec), and for a lens-light residual larger
than that of the simulation, in units of its scatter."""
PSF_WIDTH_SCATTER = 0.05
"""Standard deviation of the logarithm of the width of the PSF over that of the camera, if it is free."""
SOURCE_PIXEL_SCATTERS = (0.5, 0.3, 0.2, 0.1)
"""Scatters of the amplitudes of source pixels; the one with the largest evidence is used."""
INITIAL_SOURCE_PIXEL_SCATTER = 0.3
"""Scatter of the amplitudes of source pixels of the sampled lenses, until it has been estimated from images."""
N_LENS_LIGHT_SCENES = 512
"""Lens galaxies from which the lens-light residual is learned, at most."""
BOUNDS_TOLERANCE_SIGMA = 1.0
"""A fit is at the bounds if a parameter lies by more than this outside the range of the sampled lenses, in units of the
scatter of the parameter."""


class LensPopulation(nn.Module):
    """Smooth lenses of a simulation.

    Attributes:
        model: the lens model; its lens-light residual is learned here.
        prior_width: width of the prior of the named parameters, in units of their scatter. That of the others is their
            scatter.
        decoys: see `LensFit`.
        parameter_range: smallest and largest value of each named parameter, [2, named].
        mean: of all parameters, [parameters].
        scatter: their standard deviation, [parameters].
        lens_light: mean observed light of the lens galaxies, electrons / s / pixel, [pixels^2]. It is part of the
            noise, also where it was subtracted.
        decorrelation: see `NoiseModel`.
    """

    parameter_range: Tensor
    mean: Tensor
    scatter: Tensor
    lens_light: Tensor
    decorrelation: Tensor

    def __init__(self, simulation: Simulation, model: LensModel, prior_width: float, decoys: Collection[str] = ()):
        super().__init__()
        self.decoys = decoys
        self.simulation, self.model, self.prior_width = simulation.with_sersic_sources, model, prior_width
        self.register_buffer("parameter_range", torch.zeros(2, len(model.names)))
        self.register_buffer("mean", torch.zeros(model.count))
        self.register_buffer("scatter", torch.ones(model.count))
        self.register_buffer("lens_light", torch.zeros(model.pixels**2))
        self.register_buffer("decorrelation", torch.eye(model.pixels))

    def sample(self, count: int, generator: torch.Generator, source_pixel_scatter: float | None = None) -> Tensor:
        """Sample parameters of lenses, [count, parameters], and measure the population on them."""
        seed = torch.randint(2**62, (), generator=generator, device=generator.device).item()
        scenes = scene.draw_scenes(self.simulation, int(seed), "start", "start", SMOOTH, np.arange(count))
        self._learn_lens_light(scenes, int(seed))
        self._set_decorrelation()
        layout, named = self.model.parametrisation, len(self.model.names)
        lenses = torch.from_numpy(layout.of_scenes(scenes.lens)).to(self.mean)
        self.parameter_range.copy_(torch.stack(lenses[:, :named].aminmax(dim=0)))
        self.mean[:named] = lenses[:, :named].mean(dim=0)
        scatter = lenses[:, :named].std(dim=0)
        fixed = [MULTIPOLE_SCATTER if "multipole" in name else FIXED_PARAMETER_SCATTER for name in self.model.names]
        self.scatter[:named] = scatter.where(scatter > MIN_SCATTER, scatter.new_tensor(fixed))
        self.scatter[layout.source_pixel_amplitudes] = source_pixel_scatter or INITIAL_SOURCE_PIXEL_SCATTER
        self.scatter[layout.lens_light_amplitudes] = DECOY_LENS_LIGHT_SCATTER if "lens_light" in self.decoys else 1.0
        self.scatter[layout.psf_width] = PSF_WIDTH_SCATTER
        amplitudes = torch.randn(lenses[:, named:].shape, generator=generator, device=lenses.device)
        lenses[:, named:] = self.scatter[named:] * amplitudes
        return lenses

    def _learn_lens_light(self, scenes: Scenes, seed: int) -> None:
        """Learn the components of the lens-light residual, and the mean light of the lens galaxies.

        A simulation without lens light has neither, unless fits are to allow for some: then the residual is about zero.
        """
        simulation, model = self.simulation, self.model
        if not simulation.lens.light and "lens_light" not in self.decoys:
            return
        if not simulation.lens.light:
            simulation = simulation.model_copy(
                update={"lens": simulation.lens.model_copy(update={"light": TYPICAL_LIGHT})}
            )
            scenes = scene.draw_scenes(simulation, seed, "start", "start", SMOOTH, np.arange(N_LENS_LIGHT_SCENES))
        light = lens_light(simulation, scenes[:N_LENS_LIGHT_SCENES].lens, model.side)
        residual, total = (
            model.observe(torch.from_numpy(part).to(self.lens_light)) for part in (light.residual, light.total)
        )
        count = model.parametrisation.lens_light_components
        mean, components = principal_components(residual.cpu().double().numpy(), count)
        model.lens_light_components.copy_(torch.from_numpy(components))
        self.lens_light.copy_(total.mean(dim=0))
        if self.simulation.lens.light:
            model.lens_light_mean.copy_(torch.from_numpy(mean))

    def _set_decorrelation(self) -> None:
        """Set the matrix that whitens noise with the median correlation length of the simulation."""
        if self.simulation.camera.noise_correlation_pixels is not None:
            width = float(self.simulation.camera.noise_correlation_pixels.quantile(np.array(0.5)))
            self.decorrelation.copy_(torch.from_numpy(decorrelation(self.model.pixels, width)))

    def prior(self, precision: Tensor | None = None) -> NormalPrior:
        """The normal prior of the parameters, or one of another precision."""
        if precision is None:
            scatter = self.scatter.clone()
            scatter[: len(self.model.names)] *= self.prior_width
            if "multipoles" in self.decoys:
                scatter[self.model.parametrisation.multipole_components].clamp_(min=DECOY_MULTIPOLE_SCATTER)
            precision = scatter**-2
        return NormalPrior(self.mean, precision)

    def choose_source_pixel_scatter(
        self,
        parts: Sequence[Tensor],
        fit: Callable[[Tensor, list[Tensor] | None], Fit],
        log_evidence: Callable[[Tensor, Fit], Tensor],
    ) -> None:
        """Choose the scatter of the source pixels by the evidence of images for which all fits converge.

        Args:
            parts: batches of images.
            fit: the fits of a batch, from some initial parameters if there are any.
            log_evidence: of a batch and its fits.
        """
        amplitudes = self.model.parametrisation.source_pixel_amplitudes
        initial: list[list[Tensor] | None] = [None] * len(parts)
        evidence, converged = [], []
        for candidate in SOURCE_PIXEL_SCATTERS:
            self.scatter[amplitudes] = candidate
            fits = [fit(part, start) for part, start in zip(parts, initial, strict=True)]
            initial = [[fitted.parameters] for fitted in fits]
            evidence.append(torch.cat([log_evidence(*pair) for pair in zip(parts, fits, strict=True)]))
            converged.append(torch.cat([fitted.converged for fitted in fits]))
        usable = torch.stack(converged).all(dim=0)
        best = int((torch.stack(evidence) * usable).sum(dim=1).argmax())
        self.scatter[amplitudes] = SOURCE_PIXEL_SCATTERS[best]

    def log_evidence(self, data: Tensor, noise: NoiseModel, fitted: Fit) -> Tensor:
        """The log evidence of smooth lenses for images [n, pixels^2], up to a constant of each image, [n]."""
        image, jacobian, _ = self.model.image_and_derivatives(fitted.parameters)
        prior = self.prior(fitted.precision)
        linearised = linearise(data, image, jacobian, noise, prior, fitted.parameters)
        return log_evidence(linearised, prior, fitted.objective)

    def noise(self, gain: float, background: float, observed: Tensor | None = None) -> NoiseModel:
        """The noise of images of these lenses, with the mean light of the lens galaxies, in electrons / s / pixel.

        Args:
            gain: noise variance per unit of brightness.
            background: noise variance without light.
            observed: whether each pixel was observed, [n, pixels^2]; all by default.
        """
        floor = background + gain * self.lens_light
        if observed is not None:
            floor = floor.where(observed, torch.inf)
        correlated = self.simulation.camera.noise_correlation_pixels is not None
        return NoiseModel(gain, floor, self.decorrelation if correlated else None)

    def standardise(self, parameters: Tensor) -> Tensor:
        """The named parameters in units of their scatter about the mean, [n, named]."""
        return ((parameters - self.mean) / self.scatter)[:, : len(self.model.names)]

    def unstandardise(self, standardised: Tensor) -> Tensor:
        """Parameters [n, parameters] from standardised named ones; the amplitudes have their mean."""
        parameters = self.mean.repeat(len(standardised), 1)
        named = standardised.shape[1]
        parameters[:, :named] += self.scatter[:named] * standardised
        return parameters

    def at_bounds(self, fitted: Fit) -> Tensor:
        """Whether only a lens outside the simulation explains an image, [n].

        Fit and score remain valid. But the image may show no lens, or a lens of another population, on which the score
        was never tested.
        """
        layout = self.model.parametrisation
        # With source pixels, which have a size and a brightness of their own, those of the profile are not tested.
        count = layout.position.stop if layout.source_pixels else len(layout.names)
        (smallest, largest), parameters = self.parameter_range[:, :count], fitted.parameters[:, :count]
        outside = (smallest - parameters).maximum(parameters - largest)
        return fitted.converged & (outside > BOUNDS_TOLERANCE_SIGMA * self.scatter[:count]).any(dim=1)


def free_parameters(simulation: Simulation) -> list[str]:
    """What the lenses of a simulation have beyond round isothermal halos, shear, and sources of one Sersic index."""
    names = ("ellipticity", "multipole_3", "multipole_4")
    found = [name for name in names if getattr(simulation.lens, name) is not None]
    of_prior = {"slope": simulation.lens.slope, "sersic_index": simulation.source.sersic_index}
    return found + [name for name, prior in of_prior.items() if prior is not None and prior.kind != "fixed"]
