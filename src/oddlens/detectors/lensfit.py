"""A physics fit: the significance of a mass in the residuals of the best smooth lens.

Every image is fitted by the smooth lenses of its simulation (`lensing/model.py`, `blocks/levenberg_marquardt.py`). A
scan compares the residuals with the change that a mass at each position would cause (`blocks/scan.py`). The training
images only set the unit of brightness and, for flexible sources, their scatter. So contamination cannot affect the fit,
and a wider variety of lenses does not make its task harder. The network that predicts initial parameters is trained on
lenses sampled from the priors of the simulation (`blocks/initial_parameters.py`, `blocks/lens_population.py`).

This is the only detector that knows lenses: it receives the simulation of its data set. It is also the only one that
accepts masked images: pixels that are NaN were not observed, and have no weight in fit and scan.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.heavy_tails import HeavyTails
from oddlens.detectors.blocks.initial_parameters import (
    LIBRARY_SIZE,
    MAX_COMPONENT_LENSES,
    LensLibrary,
    ParameterNetwork,
    fill_gaps,
    with_best_brightness,
)
from oddlens.detectors.blocks.lens_fits import FitMemory, best_fits
from oddlens.detectors.blocks.lens_population import LensPopulation, free_parameters
from oddlens.detectors.blocks.levenberg_marquardt import Fit
from oddlens.detectors.blocks.noise_model import NoiseModel
from oddlens.detectors.blocks.scan import Scan, ScanResult
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.capabilities import (
    Embeds,
    MapsAnomalies,
    MapsMassSensitivity,
    ProvidesResiduals,
    Reconstructs,
)
from oddlens.detectors.interface.remembering import RemembersImages
from oddlens.lensing.model import LensModel
from oddlens.lensing.simulation import Simulation
from oddlens.training.images import TrainingImages
from oddlens.training.objectives import Batch, Objective
from oddlens.training.schedules import cosine

CPU_BATCH_SIZE, GPU_BATCH_PIXELS = 8, 2**20
"""Images fitted at once on a CPU, whose cache holds their Jacobians; and pixels of images fitted at once on a GPU,
which more pixels use better, in 8 GB."""
BATCHES_AT_ONCE = 32
"""While the last fits of these images converge, parts of the batch are idle."""
DEFAULT_SOURCE_PIXELS, DEFAULT_LENS_LIGHT_COMPONENTS = 15, 8
"""For simulations whose sources have clumps, and whose lens galaxies have light."""
N_SCATTER_IMAGES = 32
"""Training images from which this evidence is computed."""
MIN_OBSERVED_FRACTION = 0.6
"""An image that shows a smaller fraction of its pixels is doubtful. With half of the field masked, one fit in eight of
lenses of model B ends in a wrong optimum; with 3/8, none."""
DETECTION_SIGMA = 5.0
"""Significance from which a mass counts as detected."""


class LensFit(Detector, Reconstructs, MapsAnomalies, Embeds, ProvidesResiduals, MapsMassSensitivity, RemembersImages):
    """Fits smooth lenses and scans the residuals for mass.

    Args:
        simulation: of the data set (`Simulation.plain`); its substructure is ignored.
        lenses: simulated lenses that the network of the initial parameters is trained on.
        rays: per pixel side.
        steps: largest number of steps of a fit.
        free: free parameters beside shear and a Sersic source of known index; by default all that the simulation has.
        decoys: what may cause residuals although the simulation lacks it: `multipoles` of a few per cent, another
            `psf_width`, a larger residual of `lens_light`, a `luminous_clump` on the lens plane.
        prior_width: width of the normal priors of the fit, in units of the scatter of the simulated lenses.
        source_pixels: source pixels along a side of their grid, by which the source can deviate from its profile, or 0;
            by default 15 if the sources of the simulation have clumps or are images of galaxies.
        source_pixel_scale: scale of Student's t prior of their amplitudes (`blocks/heavy_tails.py`), in units of the
            brightness of the source at its effective radius; null: that of each image.
        source_pixel_freedom: degrees of freedom of this prior; null: it is normal.
        source_pixel_scatter: standard deviation of the amplitudes under the normal prior, and of that with which fits
            begin. Without heavy tails, it is by default chosen by the evidence of some training images.
        lens_light_components: principal components of the lens-light residual; by default 8 if lenses have light.
        scan_side: positions along a side of the scan.
        half_width_arcsec, softening_arcsec: of the scan.
        spread_arcsec2: standard deviation of the masses of a random field, as Einstein radius squared.
        heaviest_arcsec2: standard deviation of the half-normal prior of the mass whose odds are computed, likewise.
        score: the log `odds` of one mass at any position, the largest `significance` of a mass, the log `evidence` of a
            random field of masses, or `chi_square` per pixel.
        width, depth, learning_rate: of the network of the initial parameters.
        library_tries: 0: a network predicts the initial parameters. Otherwise fits start from this number of lenses of
            a library, those most similar to the image, and the best fit counts.
    """

    takes_simulation = True
    masks = True
    scoring = ("score", "spread_arcsec2", "heaviest_arcsec2")
    findings = (
        *("doubtful", "at_bounds"),
        *("odds", "significance", "evidence", "chi_square"),
        *("area_arcsec2", "y_arcsec", "x_arcsec", "min_detectable_arcsec2"),
    )

    def __init__(
        self,
        pixels: int,
        simulation: dict[str, Any],
        *,
        lenses: PositiveInt = 8192,
        rays: PositiveInt = 2,
        steps: PositiveInt = 60,
        free: list[Literal["ellipticity", "slope", "multipole_3", "multipole_4", "sersic_index"]] | None = None,
        decoys: list[Literal["multipoles", "psf_width", "lens_light", "luminous_clump"]] | None = None,
        prior_width: PositiveFloat = 1.5,
        source_pixels: NonNegativeInt | None = None,
        source_pixel_scale: PositiveFloat | None = 0.03,
        source_pixel_freedom: PositiveFloat | None = 1.0,
        source_pixel_scatter: PositiveFloat | None = None,
        lens_light_components: NonNegativeInt | None = None,
        scan_side: PositiveInt = 13,
        half_width_arcsec: PositiveFloat = 2.4,
        softening_arcsec: PositiveFloat = 0.1,
        spread_arcsec2: PositiveFloat = 0.003,
        heaviest_arcsec2: PositiveFloat = 0.1,
        score: Literal["odds", "significance", "evidence", "chi_square"] = "odds",
        width: PositiveInt = 128,
        depth: PositiveInt = 4,
        learning_rate: PositiveFloat = 4e-3,
        library_tries: NonNegativeInt = 0,
    ):
        super().__init__(pixels)
        smooth = _smooth(simulation)
        allowed = decoys or []
        model = _lens_model(smooth, free, allowed, source_pixels, lens_light_components, rays)
        self.population = LensPopulation(smooth, model, prior_width, allowed)
        self.scan = Scan(
            model,
            side=scan_side,
            half_width_arcsec=half_width_arcsec,
            softening_arcsec=softening_arcsec,
            heaviest_arcsec2=heaviest_arcsec2,
            spread_arcsec2=spread_arcsec2,
            luminous_clumps="luminous_clump" in allowed,
        )
        self.lenses, self.steps, self.score_name, self.learning_rate = lenses, steps, score, learning_rate
        self.source_pixel_scatter, self.library_tries = source_pixel_scatter, library_tries
        self.memory = FitMemory()
        self.tails = _tails(model, source_pixel_freedom, source_pixel_scale)
        self.library = LensLibrary(pixels, model.count) if library_tries else None
        self.parameter_network = None if library_tries else ParameterNetwork(pixels, len(model.names), width, depth)

    @property
    def lens_model(self) -> LensModel:
        """The smooth lens model."""
        return self.population.model

    @property
    def batch_size(self) -> int:
        """The number of images fitted at once."""
        on_cpu = self.scale.device.type == "cpu"
        return CPU_BATCH_SIZE if on_cpu else max(CPU_BATCH_SIZE, GPU_BATCH_PIXELS // self.pixels**2)

    @property
    def images_at_once(self) -> int:
        """Many batches, as the next image takes the place of one whose fit has converged."""
        return BATCHES_AT_ONCE * self.batch_size

    # --- training: initial parameters, scatter of source pixels -----------------------------------------------------

    def prepare(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Sample lenses; the training images are not used."""
        self.sample_lenses(generator)

    def sample_lenses(self, generator: torch.Generator) -> None:
        """Sample the lenses that the network is trained on, or those of the library."""
        lenses = self.population.sample(self.lenses, generator, self.source_pixel_scatter)
        if self.library is not None:
            self.library.lenses.copy_(lenses[torch.arange(LIBRARY_SIZE, device=lenses.device) % len(lenses)])
            self.library.images.copy_(self._images_of(self.library.lenses))
        if self.parameter_network is not None:
            self.parameter_network.lenses, self.parameter_network.images = lenses, self._images_of(lenses)
            noisy = self._with_noise(self.parameter_network.images[:MAX_COMPONENT_LENSES], generator)
            self.parameter_network.learn_components(noisy, self.stabilise, generator)

    def _images_of(self, parameters: Tensor) -> Tensor:
        """Noise-free images [n, pixels^2] of parameters, batch by batch."""
        return torch.cat([self.lens_model(part) for part in parameters.split(self.batch_size)])

    def _with_noise(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Noise-free images [n, pixels^2] with noise, scaled, [n, 1, pixels, pixels]."""
        return self.noise().exposed(images, generator).view(-1, 1, self.pixels, self.pixels) / self.scale

    def objectives(self) -> list[Objective]:
        """The network of the initial parameters, if there is one."""
        if self.parameter_network is None:
            return []
        networks = (self.parameter_network.dense,)
        return [Objective("initial_parameters", networks, self._loss, cosine(self.learning_rate), optimiser="muon")]

    def _loss(self, batch: Batch) -> Tensor:
        """The squared error of standardised parameters of simulated lenses; the training images are not used."""
        assert self.parameter_network is not None
        lenses, images = self.parameter_network.sample(len(batch.images), batch.generator)
        predicted = self.parameter_network(self.stabilise(self._with_noise(images, batch.generator)))
        return (predicted - self.population.standardise(lenses)).square().mean(dim=1)

    def conclude(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Choose the scatter of the source pixels by the evidence of training images, if their prior is normal."""
        if not self.lens_model.parametrisation.source_pixels or self.source_pixel_scatter or self.tails:
            return

        def log_evidence(part: Tensor, fitted: Fit) -> Tensor:
            return self.population.log_evidence(self._data(part), self.noise(part), fitted)

        parts = images.evenly_spaced(N_SCATTER_IMAGES).split(self.batch_size)
        self.population.choose_source_pixel_scatter(parts, self.fit_lenses, log_evidence)

    # --- fit and scan of scaled images [n, 1, pixels, pixels] --------------------------------------------------------

    def initial_parameters(self, images: Tensor) -> list[Tensor]:
        """The initial parameters [n, parameters] of one or more fits of each image."""
        data, observed = self._data(images), _observed(images)
        if self.library is not None:
            initial = self.library.most_similar(data, observed, self.library_tries)
        else:
            assert self.parameter_network is not None
            predicted = self.parameter_network.predict(self.stabilise(fill_gaps(images)))
            initial = [self.population.unstandardise(predicted)]
        return [with_best_brightness(self.lens_model, parameters, data, observed) for parameters in initial]

    def remember_images(self) -> None:
        """Keep fits."""
        self.memory.keeps = True

    def fit_lenses(self, images: Tensor, initial: list[Tensor] | None = None) -> Fit:
        """The best smooth lens of each image, of the fits from all initial parameters (by default the predicted ones).

        The fit of an image with too few observed pixels counts as not converged.
        """
        if initial is None:
            return self.memory.fits(images, self._fit_from_prediction)
        data, noise, prior = self._data(images), self.noise(images), self.population.prior()
        best = best_fits(self.lens_model, data, noise, prior, initial, self.steps, self.batch_size, self.tails)
        enough = _observed(images).sum(dim=1) >= MIN_OBSERVED_FRACTION * self.pixels**2
        return best._replace(converged=best.converged & enough)

    def _fit_from_prediction(self, images: Tensor) -> Fit:
        parts = (self.initial_parameters(part) for part in images.split(self.batch_size))
        return self.fit_lenses(images, [torch.cat(own) for own in zip(*parts, strict=True)])

    def scan_residuals(self, images: Tensor, fitted: Fit) -> ScanResult:
        """Scan the residuals of smooth fits for mass, batch by batch."""
        data, noise = self._data(images), self.noise(images)
        one_by_one = images.device.type == "cpu" and self.lens_model.source.source_pixels  # they fill its cache
        scan = self.scan.one_by_one if one_by_one else self.scan

        def of_batch(part: slice, fits: Fit) -> ScanResult:
            model_image = self.lens_model.image_and_derivatives(fits.parameters)
            return scan(data[part], fits, model_image, noise.of(part), self.population.prior(fits.precision))

        parts = [slice(start, start + self.batch_size) for start in range(0, len(images), self.batch_size)]
        return ScanResult.concatenate([of_batch(part, fitted.of(part)) for part in parts])

    def noise(self, images: Tensor | None = None) -> NoiseModel:
        """The noise of images in electrons / s / pixel; infinite in their masked pixels."""
        gain, background = (self.gain * self.scale).item(), (self.background * self.scale**2).item()
        return self.population.noise(gain, background, None if images is None else _observed(images))

    def _data(self, images: Tensor) -> Tensor:
        """Images in electrons / s, [n, pixels^2]; masked pixels, which must be finite, are 0."""
        return (images * self.scale).flatten(1).nan_to_num()

    # --- what a detector returns -------------------------------------------------------------------------------------

    def anomaly_score(self, images: Tensor) -> Tensor:
        """The chosen score, and the findings. A fit that has not converged counts as one without residuals."""
        fitted = self.fit_lenses(images)
        scan = self.scan_residuals(images, fitted)
        significance, *peak = self.scan.peak(scan)
        scores = {
            "odds": scan.log_odds,
            "significance": significance,
            "evidence": scan.log_evidence,
            "chi_square": torch.where(fitted.converged, fitted.objective / _observed(images).sum(dim=1), 1.0),
        }
        flags = [flag.float() for flag in (~fitted.converged, self.population.at_bounds(fitted))]
        smallest = DETECTION_SIGMA * scan.area_sigma.flatten(1).amin(dim=1)
        return torch.stack([scores[self.score_name], *flags, *scores.values(), *peak, smallest], dim=1)

    def anomaly_map(self, images: Tensor) -> Tensor:
        """The squared change of the image by the mean random field, in units of the noise; 0 in masked pixels."""
        return self.scan_residuals(images, self.fit_lenses(images)).field_image.square().view_as(images)

    def residuals(self, images: Tensor) -> Tensor:
        """The residuals of the fits and the map of significances; both are 0 if a fit has not converged."""
        scan = self.scan_residuals(images, self.fit_lenses(images))
        return torch.stack([scan.residual.view_as(images[:, 0]), self.scan.to_pixels(scan.significance)], dim=1)

    def mass_sensitivity(self, images: Tensor) -> Tensor:
        """The mass that is detected with 5 sigma; NaN beyond the outermost positions of the scan."""
        smallest = DETECTION_SIGMA * self.scan_residuals(images, self.fit_lenses(images)).area_sigma
        area = self.scan.to_pixels(smallest.log()).exp()
        return torch.where(self.scan.pixel_positions.abs().amax(dim=-1) > 1, torch.nan, area)

    def reconstruct(self, images: Tensor) -> Tensor:
        """The images of the best smooth lenses, also in masked pixels."""
        return self._images_of(self.fit_lenses(images).parameters).view_as(images) / self.scale

    def embed(self, images: Tensor) -> Tensor:
        """The standardised parameters of the best smooth lenses."""
        return self.population.standardise(self.fit_lenses(images).parameters)


def _smooth(plain: dict[str, Any]) -> Simulation:
    """The simulation without substructure.

    Raises:
        ValueError: its camera has no noise.
    """
    simulation = Simulation.model_validate({**plain, "substructure": {}})
    if simulation.camera.noise == "none":
        raise ValueError(
            "lensfit measures in units of the noise, and the data set has camera.noise: none. Use a camera with noise, "
            "or leave the row out of the study (`only`)"
        )
    return simulation


def _lens_model(
    simulation: Simulation,
    free: Sequence[str] | None,
    decoys: Sequence[str],
    source_pixels: int | None,
    lens_light_components: int | None,
    rays: int,
) -> LensModel:
    """The lens model of a simulation; None stands for the default of the simulation."""
    free = [*(free_parameters(simulation) if free is None else free), *decoys]
    if source_pixels is None:
        source_pixels = 0 if simulation.source.is_smooth else DEFAULT_SOURCE_PIXELS
    if lens_light_components is None:
        has_light = simulation.lens.light or "lens_light" in free
        lens_light_components = DEFAULT_LENS_LIGHT_COMPONENTS if has_light else 0
    return LensModel(
        simulation,
        elliptical="ellipticity" in free,
        free_slope="slope" in free,
        multipoles=[m for m in (3, 4) if f"multipole_{m}" in free or "multipoles" in free],
        free_index="sersic_index" in free,
        source_pixels=source_pixels,
        lens_light_components=lens_light_components,
        free_psf_width="psf_width" in free,
        rays=rays,
    )


def _tails(model: LensModel, freedom: float | None, scale: float | None) -> HeavyTails | None:
    """The heavy tails of the source pixels, if there are any and their prior is not normal."""
    if freedom is None or not model.parametrisation.source_pixels:
        return None
    return HeavyTails(model.parametrisation.source_pixel_amplitudes, freedom, scale)


def _observed(images: Tensor) -> Tensor:
    """Whether each pixel of images [n, 1, pixels, pixels] was observed, [n, pixels^2]."""
    return images.flatten(1).isfinite()
