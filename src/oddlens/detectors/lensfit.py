"""A fit of physics: what the best smooth lens leaves over, and mass explains, is odd.

Every image is fitted by the smooth lens of the data set's own description (`lensing/model.py`, `blocks/levenberg_marquardt.py`),
and what is left over is held against what a mass at each place would change (`blocks/scan.py`). Nothing is learned from
the training images but the unit of brightness, and by how much sources differ from smooth profiles if they do: no
contamination can harm, and where lenses vary more, the fit has no harder task. What is trained is a network that says
where a fit starts: it sees lenses that are drawn anew from the priors of the data set.

This is the one detector that knows lenses; it is told the simulation of its data set when it is built. It is also the one
that needs no full image: pixels that are NaN were not observed, and have no weight in fit and scan.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn import functional as F

from oddlens.detectors.blocks.coordinates import ComponentCoordinates
from oddlens.detectors.blocks.networks import residual_network
from oddlens.detectors.blocks.levenberg_marquardt import Fit, NoiseModel, NormalPrior, fit, linearise, log_evidence
from oddlens.detectors.blocks.scan import Scan, ScanResult
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.capabilities import (
    Embeds,
    MapsAnomalies,
    MapsMassSensitivity,
    ProvidesResiduals,
    Reconstructs,
)
from oddlens.lensing import scene
from oddlens.lensing.camera import decorrelation
from oddlens.lensing.lens_light_residual import lens_light, principal_components
from oddlens.lensing.model import LensModel
from oddlens.lensing.scene import Scenes
from oddlens.lensing.simulation import Simulation
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.training.images import TrainingImages
from oddlens.training.objectives import Batch, Objective
from oddlens.training.schedules import cosine

LOOKED_AT = 4096
"""Lenses that principal components are learned from, at most."""
AT_ONCE, PIXELS_AT_ONCE = 8, 2**20
"""Images fitted at once on a CPU, whose cache holds their Jacobians; and pixels of them on a GPU, which more of them
keep busy, in 8 GB."""
FIXED, MOVED = 1e-3, 0.1
"""A parameter whose scatter in the simulation is less than the first is fixed by the priors; the fit leaves it free within
the second, as dark matter may move it."""
SOURCE_PIXELS, LEFTOVER = 15, 8
"""Of simulations that have clumps, and light of the lens galaxy, by default."""
SCATTER, SCATTERS = 0.3, (0.5, 0.3, 0.2, 0.1)
"""Of the amplitudes of source_pixels, for the lenses that a start learns from; and those among which fits choose."""
JUDGES = 32
"""Training images by which one of these is chosen."""
GALAXIES = 512
"""Lens galaxies that are looked at to learn what their light leaves."""
OBSERVED = 0.6
"""The part of its pixels that an image must show, or its score is doubtful: with half of the field masked, one fit in
eight of lenses of model B ends in a wrong valley; with 3/8, none."""
FAINTEST = 1e-3
"""The least factor by which a start is brought to the brightness of an image."""
SURE = 5.0
"""The significance from which a mass counts as found."""
BEYOND = 1.0
"""An optimum that is so many standard deviations outside what was drawn of a parameter is no lens of the simulation."""
TAILS = 5.0
"""Standardised parameters of a start beyond this are brought back to it."""
LIBRARY = 1024
"""Lenses of which those like an image are where its fits start, without a network."""


class LensFit(Detector, Reconstructs, MapsAnomalies, Embeds, ProvidesResiduals, MapsMassSensitivity):
    """Starting network, fit, and scan.

    Args:
        simulation: of the data set (`Simulation.plain`), but for its substructure, which is not looked at.
        lenses: that the start learns from; each is seen with new noise every time.
        rays: per pixel side.
        steps: of a fit at most.
        free: what the fit's lenses have beside shear and a Sersic source of the simulation's index; by default all that the
            simulation's have.
        prior_width: of the normal priors of the fit, in standard deviations of the parameters of the simulation's lenses.
        source_pixels: along a side of the grid that the source may deviate from its profile by; 0: it may not. By default
            15 if the simulation's sources have clumps.
        source_pixel_scatter: standard deviation of their amplitudes, in units of the source's brightness at its radius. By
            default that of `SCATTERS` by which some training images, which nobody labelled, are most probable.
        leftover: images that what is left of the lens galaxy's light is made of; by default 8 if the simulation has any.
        places, half_width_arcsec, softening_arcsec: of the scan.
        spread_arcsec2: standard deviation of the masses of the field, as Einstein radius squared.
        heaviest_arcsec2: typical area of the mass whose odds are asked for.
        score: the log `odds` of a mass somewhere, the largest `significance` of one anywhere, the log `evidence` of a
            field of masses, or `chi_square` per pixel.
        width, depth, learning_rate: of the network that says where to start.
        tries: instead of where a network says, fits start from so many lenses, those most like the image of a library
            drawn from the simulation, and the best fit counts.
    """

    takes_simulation = True
    masks = True
    scoring = ("score", "spread_arcsec2", "heaviest_arcsec2")
    findings = (
        *("doubtful", "at_bounds"),
        *("odds", "significance", "evidence", "chi_square"),
        *("area_arcsec2", "y_arcsec", "x_arcsec", "least_arcsec2"),
    )
    extremes: Tensor
    """Least and largest value of each named parameter among the lenses drawn, [2, named]."""
    scatter: Tensor
    middle: Tensor
    galaxy: Tensor
    decorrelates: Tensor
    bank: Tensor
    bank_light: Tensor
    library: Tensor
    library_light: Tensor

    def __init__(
        self,
        pixels: int,
        simulation: dict[str, Any],
        *,
        lenses: PositiveInt = 8192,
        rays: PositiveInt = 2,
        steps: PositiveInt = 60,
        free: list[Literal["ellipticity", "multipole_3", "multipole_4", "sersic_index"]] | None = None,
        prior_width: PositiveFloat = 1.5,
        source_pixels: NonNegativeInt | None = None,
        source_pixel_scatter: PositiveFloat | None = None,
        leftover: NonNegativeInt | None = None,
        places: PositiveInt = 13,
        half_width_arcsec: PositiveFloat = 2.4,
        softening_arcsec: PositiveFloat = 0.1,
        spread_arcsec2: PositiveFloat = 0.003,
        heaviest_arcsec2: PositiveFloat = 0.1,
        score: Literal["odds", "significance", "evidence", "chi_square"] = "odds",
        width: PositiveInt = 128,
        depth: PositiveInt = 4,
        learning_rate: PositiveFloat = 4e-3,
        tries: NonNegativeInt = 0,
    ):
        super().__init__(pixels)
        self.smooth = Simulation.model_validate({**simulation, "substructure": {}})
        source, light = self.smooth.source, self.smooth.lens.light
        if self.smooth.camera.noise == "none":
            raise ValueError(
                "lensfit measures in units of the noise, and the data set has camera.noise: none. Give it a camera "
                "with noise, or leave the row out of the study (`only`)"
            )
        has: Sequence[str] = features(self.smooth) if free is None else free
        self.model = LensModel(
            self.smooth,
            elliptical="ellipticity" in has,
            multipoles=[m for m in (3, 4) if f"multipole_{m}" in has],
            free_index="sersic_index" in has,
            source_pixels=(SOURCE_PIXELS if source.clumps else 0) if source_pixels is None else source_pixels,
            lens_light_components=(LEFTOVER if light else 0) if leftover is None else leftover,
            rays=rays,
        )
        self.scan = Scan(
            self.model,
            side=places,
            half_width_arcsec=half_width_arcsec,
            softening_arcsec=softening_arcsec,
            heaviest_arcsec2=heaviest_arcsec2,
        )
        self.lenses, self.steps, self.by, self.learning_rate = lenses, steps, score, learning_rate
        self.prior_width, self.source_pixel_scatter, self.spread = prior_width, source_pixel_scatter, spread_arcsec2
        self.tries = tries
        if not tries:
            self.coordinates = ComponentCoordinates(pixels)
            self.start = residual_network(self.coordinates.count, len(self.model.names), width, depth)
        held = LIBRARY if tries else 0
        self.register_buffer("library", torch.zeros(held, self.model.count))
        self.register_buffer("library_light", torch.zeros(held, pixels**2))
        self.register_buffer("extremes", torch.zeros(2, len(self.model.names)))
        self.register_buffer("middle", torch.zeros(self.model.count))
        self.register_buffer("scatter", torch.ones(self.model.count))
        self.register_buffer("galaxy", torch.zeros(pixels**2))
        self.register_buffer("decorrelates", torch.eye(pixels))
        for name in ("bank", "bank_light"):
            self.register_buffer(name, torch.zeros(0), persistent=False)

    # --- where to start ---------------------------------------------------------------------------------------------

    def prepare(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Draw lenses; the training images are not looked at."""
        self.draw_lenses(generator)

    def draw_lenses(self, generator: torch.Generator) -> None:
        """Draw the lenses that the start learns from, and learn their principal components; or draw the library."""
        seed = torch.randint(2**62, (), generator=generator, device=generator.device).item()
        scenes = scene.draw_scenes(self.smooth, int(seed), "start", "start", SMOOTH, np.arange(self.lenses))
        self._look_at_light(scenes)
        bank = torch.from_numpy(self.model.parametrisation.of_scenes(scenes.lens)).to(self.middle)
        named, source_pixels = len(self.model.names), self.model.parametrisation.source_pixels**2
        self.extremes.copy_(torch.stack(bank[:, :named].aminmax(dim=0)))
        self.middle[:named] = bank[:, :named].mean(dim=0)
        scatter = bank[:, :named].std(dim=0)
        self.scatter[:named] = scatter.where(scatter > FIXED, MOVED)
        self.scatter[named : named + source_pixels] = self.source_pixel_scatter or SCATTER
        amplitudes = torch.randn(bank[:, named:].shape, generator=generator, device=bank.device)
        bank[:, named:] = self.scatter[named:] * amplitudes
        if self.tries:
            self.library.copy_(bank[torch.arange(LIBRARY, device=bank.device) % len(bank)])
            self.library_light.copy_(self._light(self.library))
            return
        self.bank, self.bank_light = bank, self._light(bank)
        drawn = self._photograph(self.bank_light[:LOOKED_AT], generator)
        looked_at = TrainingImages(drawn[:, 0].cpu().numpy(), np.arange(len(drawn)), None, self.scale.device)
        self.coordinates.learn(looked_at.stabilised(self.stabilise), generator, symmetric=True)

    def _look_at_light(self, scenes: Scenes) -> None:
        """What lens galaxies leave in the images, and how their noise differs from the camera's."""
        if self.smooth.lens.light:
            light = lens_light(self.smooth, scenes[:GALAXIES].lens, self.model.side)
            left, whole = (
                self.model.observe(torch.from_numpy(part).to(self.galaxy)) for part in (light.residual, light.total)
            )
            mean, images = principal_components(left.cpu().double().numpy(), len(self.model.lens_light_components))
            self.model.lens_light_mean.copy_(torch.from_numpy(mean))
            self.model.lens_light_components.copy_(torch.from_numpy(images))
            self.galaxy.copy_(whole.mean(dim=0))
        if self.smooth.camera.noise_correlation_pixels is not None:
            width = float(self.smooth.camera.noise_correlation_pixels.quantile(np.array(0.5)))
            self.decorrelates.copy_(torch.from_numpy(decorrelation(self.pixels, width)))

    def conclude(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Learn the scatter of the amplitudes of source_pixels."""
        if not self.model.parametrisation.source_pixels or self.source_pixel_scatter:
            return
        source_pixels = slice(len(self.model.names), len(self.model.names) + self.model.parametrisation.source_pixels**2)
        seen = images.evenly_spaced(JUDGES)
        parts = seen.split(self.batch_size)
        starts = [self.starts(part) for part in parts]
        evidence, converged = [], []
        for scatter in SCATTERS:
            self.scatter[source_pixels] = scatter
            fits = [self.fitted(part, start) for part, start in zip(parts, starts, strict=True)]
            starts = [[found.parameters] for found in fits]
            evidence.append(torch.cat([self._evidence(*both) for both in zip(parts, fits, strict=True)]))
            converged.append(torch.cat([found.converged for found in fits]))
        usable = torch.stack(converged).all(dim=0)
        self.scatter[source_pixels] = SCATTERS[int((torch.stack(evidence) * usable).sum(dim=1).argmax())]

    def objectives(self) -> list[Objective]:
        """The start, if a network says it: standardised parameters of lenses from their images."""
        if self.tries:
            return []
        rate = cosine(self.learning_rate)
        return [Objective("start", (self.start,), self._loss, rate, optimiser="muon")]

    def _loss(self, batch: Batch) -> Tensor:
        chosen = torch.randint(len(self.bank), (len(batch.images),), generator=batch.generator, device=self.bank.device)
        seen = self.stabilise(self._photograph(self.bank_light[chosen], batch.generator))
        wanted = ((self.bank[chosen] - self.middle) / self.scatter)[:, : len(self.model.names)]
        return (self.start(self.coordinates(seen)) - wanted).square().mean(dim=1)

    def _photograph(self, light: Tensor, generator: torch.Generator) -> Tensor:
        """What the camera makes of images [n, pixels^2], in the units of the detector."""
        noise = torch.randn(light.shape, generator=generator, device=light.device)
        taken = light + self.noise().variance(light).sqrt() * noise
        return taken.view(-1, 1, self.pixels, self.pixels) / self.scale

    # --- fit and scan -----------------------------------------------------------------------------------------------

    def noise(self, images: Tensor | None = None) -> NoiseModel:
        """Of the camera and of lens galaxies as bright as the mean of the simulation's, in electrons / s / pixel; infinite
        where `images` are masked."""
        gain = (self.gain * self.scale).item()
        floor = (self.background * self.scale**2).item() + gain * self.galaxy
        if images is not None:
            floor = floor.where(self._observed(images), torch.inf)
        correlated = self.smooth.camera.noise_correlation_pixels is not None
        return NoiseModel(gain, floor, self.decorrelates if correlated else None)

    def prior(self) -> NormalPrior:
        """Of the parameters; that of amplitudes has the width of the simulation's."""
        width = self.scatter.clone()
        width[: len(self.model.names)] *= self.prior_width
        return NormalPrior(self.middle, torch.diag(width**-2))

    def starts(self, images: Tensor) -> list[Tensor]:
        """Parameters [n, p] that fits of scaled images start from."""
        named = len(self.model.names)
        if self.tries:
            light = self.library_light
            alike = self._data(images) @ light.mT / (self._observed(images).to(light) @ light.mT.square()).sqrt()
            most = alike.topk(self.tries, dim=1).indices.mT  # the more alike, the less is left over
            return [self._as_bright(self.library[k], images) for k in most]
        standardised = self.start(self.coordinates(self.stabilise(filled(images)))).clamp(-TAILS, TAILS)
        start = self.middle.repeat(len(images), 1)
        start[:, :named] += self.scatter[:named] * standardised
        return [self._as_bright(start, images)]

    def _as_bright(self, start: Tensor, images: Tensor) -> Tensor:
        """Starts with the best brightness for their shapes."""
        light = self.model(start).where(self._observed(images), 0.0)
        ratio = (light * self._data(images)).sum(dim=1) / light.square().sum(dim=1)
        start[:, self.model.names.index("log_intensity")] += ratio.clamp(min=FAINTEST).log()
        return start

    def _light(self, parameters: Tensor) -> Tensor:
        """Images [n, pixels^2], a few at a time."""
        return torch.cat([self.model(part) for part in parameters.split(self.batch_size)])

    def fitted(self, images: Tensor, starts: list[Tensor] | None = None) -> Fit:
        """The smooth lenses that explain scaled images [n, 1, pixels, pixels] best, of those found from the starts; one
        of an image that shows too little has not converged."""
        data, noise, prior = self._data(images), self.noise(images), self.prior()
        starts = self.starts(images) if starts is None else starts
        best, *others = (fit(self.model.image_and_derivatives, data, noise, prior, start, self.steps) for start in starts)
        for other in others:
            best = best.or_better(other)
        enough = self._observed(images).sum(dim=1) >= OBSERVED * self.pixels**2
        return best._replace(converged=best.converged & enough)

    def scanned(self, images: Tensor, found: Fit, field: bool = False) -> ScanResult:
        """What the smooth lenses `found` leave over of images, place by place; with the `field` of masses."""
        drawn, spread = self.model.image_and_derivatives(found.parameters), self.spread if field else None
        return self.scan(self._data(images), found, drawn, self.noise(images), self.prior(), spread)

    def _evidence(self, images: Tensor, found: Fit) -> Tensor:
        """The log evidence [n] of the prior, up to a constant of each image."""
        drawn, prior = self.model.image_and_derivatives(found.parameters), self.prior()
        data, noise = self._data(images), self.noise(images)
        return log_evidence(linearise(data, drawn.image, drawn.jacobian, noise, prior, found.parameters), prior, found)

    def anomaly_score(self, images: Tensor) -> Tensor:
        """What `score` says; where no fit was found, what a smooth lens would have: that tells of no dark matter."""
        found = self.fitted(images)
        scanned = self.scanned(images, found, field=True)
        significance, place = scanned.significance.flatten(1).max(dim=1)
        assert scanned.log_evidence is not None
        scores = {
            "odds": scanned.log_odds,
            "significance": significance,
            "evidence": scanned.log_evidence,
            "chi_square": torch.where(found.converged, found.objective / self._observed(images).sum(dim=1), 1.0),
        }
        flags = [flag.float() for flag in (~found.converged, self.at_bounds(found))]
        area = scanned.area.flatten(1).gather(1, place[:, None])[:, 0]
        mass = [area, self.scan.y[place], self.scan.x[place], SURE * scanned.area_sigma.flatten(1).amin(dim=1)]
        return torch.stack([scores[self.by], *flags, *scores.values(), *mass], dim=1)

    def at_bounds(self, found: Fit) -> Tensor:
        """Whether only a lens that the simulation cannot have explains an image, [n].

        Nothing is said against the fit, nor against the score that it has; but what the image shows may be no lens, or
        one of another population, on which the score was never tried.
        """
        # What source_pixels add has a size and a brightness, too, so that those of the profile alone may be any.
        asked = len(self.model.parametrisation.lens_names) + 2 if self.model.parametrisation.source_pixels else len(self.model.names)
        (least, most), found_at = self.extremes[:, :asked], found.parameters[:, :asked]
        outside = (least - found_at).maximum(found_at - most)
        return found.converged & (outside > BEYOND * self.scatter[:asked]).any(dim=1)

    def anomaly_map(self, images: Tensor) -> Tensor:
        """The square, in units of the noise, of what the field of masses adds to the image; 0 where it is masked."""
        field = self.scanned(images, self.fitted(images), field=True).field_image
        assert field is not None
        return field.square().view_as(images)

    def residuals(self, images: Tensor) -> Tensor:
        """What the smooth lenses leave over, and the scan's map; where no fit was found, nothing."""
        scanned = self.scanned(images, self.fitted(images))
        return torch.stack([scanned.residual.view_as(images[:, 0]), self.scan.to_pixels(scanned.significance)], dim=1)

    def mass_sensitivity(self, images: Tensor) -> Tensor:
        """Five standard deviations of a mass; NaN beyond the outermost places."""
        least = SURE * self.scanned(images, self.fitted(images)).area_sigma
        area = self.scan.to_pixels(least.log()).exp()
        return torch.where(self.scan.pixel_positions.abs().amax(dim=-1) > 1, torch.nan, area)

    def reconstruct(self, images: Tensor) -> Tensor:
        """The smooth lenses, in masked pixels too."""
        return self.model(self.fitted(images).parameters).view_as(images) / self.scale

    def embed(self, images: Tensor) -> Tensor:
        """Their parameters, standardised."""
        return ((self.fitted(images).parameters - self.middle) / self.scatter)[:, : len(self.model.names)]

    def _data(self, images: Tensor) -> Tensor:
        return (images * self.scale).flatten(1).nan_to_num()  # masked pixels have no weight, and must be finite

    @staticmethod
    def _observed(images: Tensor) -> Tensor:
        return images.flatten(1).isfinite()

    @property
    def batch_size(self) -> int:
        """How many images are fitted at once."""
        return AT_ONCE if self.scale.device.type == "cpu" else max(AT_ONCE, PIXELS_AT_ONCE // self.pixels**2)


def filled(images: Tensor) -> Tensor:
    """Images [n, 1, pixels, pixels] with NaN replaced by the mean of the neighbours, from the rim of a gap inwards."""
    while (gaps := images.isnan()).any():
        total, count = (F.avg_pool2d(part, 3, 1, 1) for part in (images.nan_to_num(), (~gaps).to(images)))
        images = images.where(~gaps, total / count)  # 0 / 0: its neighbours come first
    return images


def features(simulation: Simulation) -> Sequence[str]:
    """What a simulation's lenses have beyond a round halo in a shear, and a Sersic source of known index."""
    names = ("ellipticity", "multipole_3", "multipole_4")
    found = [name for name in names if getattr(simulation.lens, name) is not None]
    return found + ([] if simulation.source.sersic_index.kind == "fixed" else ["sersic_index"])
