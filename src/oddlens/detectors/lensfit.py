"""A fit of physics: what the best smooth lens leaves over, and mass explains, is odd.

Every image is fitted by the smooth lens of the data set's own description (`lensing/model.py`, `blocks/levenberg.py`),
and what is left over is held against what a mass at each place would change (`blocks/scan.py`). Nothing is learned from
the training images, which only set the unit of brightness: no contamination can harm, and where lenses vary more, the
fit has no harder task. What is trained is a network that says where a fit starts: it sees lenses that are drawn anew
from the priors of the data set.

This is the one detector that knows lenses; it is told the world of its data set when it is built.
"""

from typing import Any, Literal

import numpy as np
import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from oddlens.detectors.base import Detector
from oddlens.detectors.blocks import cosine
from oddlens.detectors.blocks.autoencoder import Components, residual
from oddlens.detectors.blocks.levenberg import Fit, Noise, Prior, fit
from oddlens.detectors.blocks.scan import Scan, Scanned
from oddlens.images import Images
from oddlens.lensing import scene
from oddlens.lensing.model import Drawn, LensModel
from oddlens.lensing.substructure import SMOOTH
from oddlens.lensing.world import World
from oddlens.training import Batch, Objective

LOOKED_AT = 4096
"""Lenses that principal components are learned from, at most."""
AT_ONCE = 8
"""Images fitted at once on a CPU, whose cache holds their Jacobians; a GPU takes a whole batch."""
LEAST_SCATTER = 0.1
"""What counts as the scatter of a parameter that the priors fix: the fit leaves it free, as dark matter may move it."""
FAINTEST = 1e-3
"""The least factor by which a start is brought to the brightness of an image."""
TAILS = 5.0
"""Standardised parameters of a start beyond this are brought back to it."""


class LensFit(Detector):
    """Starting network, fit, and scan.

    Args:
        world: of the data set (`World.plain`), but for its substructure, which is not looked at.
        lenses: that the start learns from; each is seen with new noise every time.
        rays: per pixel side.
        steps: of a fit at most.
        prior_width: of the normal priors of the fit, in standard deviations of the parameters of the world's lenses.
        places, half_width_arcsec, softening_arcsec: of the scan.
        spread_arcsec2: standard deviation of the masses of the field, as Einstein radius squared.
        score: the largest `significance` of a mass anywhere, the log `evidence` of a field of masses, or `chi_square`
            per pixel.
        width, depth, learning_rate: of the network that says where to start.
    """

    knows_lenses = True
    scoring = ("score", "spread_arcsec2")
    scatter: Tensor
    middle: Tensor
    bank: Tensor

    def __init__(
        self,
        pixels: int,
        world: dict[str, Any],
        *,
        lenses: PositiveInt = 8192,
        rays: PositiveInt = 2,
        steps: PositiveInt = 30,
        prior_width: PositiveFloat = 3.0,
        places: PositiveInt = 13,
        half_width_arcsec: PositiveFloat = 2.4,
        softening_arcsec: PositiveFloat = 0.1,
        spread_arcsec2: PositiveFloat = 0.01,
        score: Literal["significance", "evidence", "chi_square"] = "significance",
        width: PositiveInt = 128,
        depth: PositiveInt = 4,
        learning_rate: PositiveFloat = 4e-3,
    ):
        super().__init__(pixels)
        self.smooth = World.model_validate({**world, "substructure": {}})
        lens = self.smooth.lens
        self.model = LensModel(
            self.smooth,
            elliptical=lens.ellipticity is not None,
            multipoles=[m for m in (3, 4) if getattr(lens, f"multipole_{m}")],
            free_index=self.smooth.source.sersic_index.kind != "fixed",
            rays=rays,
        )
        self.scan = Scan(
            self.model, places=places, half_width_arcsec=half_width_arcsec, softening_arcsec=softening_arcsec
        )
        self.lenses, self.steps, self.by, self.learning_rate = lenses, steps, score, learning_rate
        self.prior_width, self.spread = prior_width, spread_arcsec2
        self.coordinates = Components(pixels)
        self.start = residual(self.coordinates.count, len(self.model.names), width, depth)
        for name in ("middle", "scatter"):
            self.register_buffer(name, torch.ones(len(self.model.names)))
        self.register_buffer("bank", torch.zeros(0), persistent=False)

    # --- where to start ---------------------------------------------------------------------------------------------

    def prepare(self, images: Images, generator: torch.Generator) -> None:
        """Draw the lenses that the start learns from, and learn their principal components."""
        seed = torch.randint(2**62, (), generator=generator, device=generator.device).item()
        scenes = scene.draw(self.smooth, int(seed), "start", "start", SMOOTH, np.arange(self.lenses))
        self.bank = torch.from_numpy(self.model.parameters_of(scenes.lens)).to(self.scale.device, torch.float32)
        self.middle.copy_(self.bank.mean(dim=0))
        self.scatter.copy_(self.bank.std(dim=0).clamp(min=LEAST_SCATTER))
        drawn = torch.cat([self._photograph(some, generator) for some in self.bank[:LOOKED_AT].split(AT_ONCE)])
        looked_at = Images(drawn[:, 0].cpu().numpy(), np.arange(len(drawn)), None, self.scale.device)
        self.coordinates.learn(looked_at.seen(self.see), generator, symmetric=True)

    def objectives(self) -> list[Objective]:
        """The start: standardised parameters of lenses from their images."""
        rate = cosine(self.learning_rate)
        return [Objective("start", (self.start,), self._loss, rate, optimiser="muon")]

    def _loss(self, batch: Batch) -> Tensor:
        chosen = torch.randint(len(self.bank), (len(batch.images),), generator=batch.generator, device=self.bank.device)
        parameters = self.bank[chosen]
        with torch.no_grad():
            parts = parameters.split(self._at_once(parameters))
            seen = self.see(torch.cat([self._photograph(part, batch.generator) for part in parts]))
        wanted = (parameters - self.middle) / self.scatter
        return (self.start(self.coordinates(seen)) - wanted).square().mean(dim=1)

    def _photograph(self, parameters: Tensor, generator: torch.Generator) -> Tensor:
        """Images with noise, [n, 1, pixels, pixels], in the units of the detector."""
        with torch.autocast(parameters.device.type, enabled=False):
            light = self.model(parameters).view(-1, 1, self.pixels, self.pixels) / self.scale
        noise = torch.randn(light.shape, generator=generator, device=light.device)
        return light + self.variance(light).sqrt() * noise

    # --- fit and scan -----------------------------------------------------------------------------------------------

    def noise(self) -> Noise:
        """Of the camera, in electrons / s / pixel."""
        return Noise((self.gain * self.scale).item(), (self.background * self.scale**2).item())

    def fitted(self, images: Tensor) -> Fit:
        """The smooth lenses that explain scaled images [n, 1, pixels, pixels] best."""
        standardised = self.start(self.coordinates(self.see(images))).clamp(-TAILS, TAILS)
        precision = torch.diag((self.prior_width * self.scatter) ** -2)
        start, data, noise = self.middle + self.scatter * standardised, self._data(images), self.noise()
        light = self.model(start)
        ratio = (light * data).sum(dim=1) / light.square().sum(dim=1)  # the best brightness for the start's shape
        start[:, self.model.names.index("log_intensity")] += ratio.clamp(min=FAINTEST).log()
        return fit(self.model.drawn, data, noise, Prior(self.middle, precision), start, self.steps)

    def scanned(self, images: Tensor, drawn: Drawn, field: bool) -> Scanned:
        """What the smooth lenses `drawn` leave over of images, place by place."""
        return self.scan(self._data(images), drawn, self.noise(), self.spread if field else None)

    def anomaly(self, images: Tensor) -> Tensor:
        """What `score` says; where no fit was found, what a smooth lens would have: that tells of no dark matter."""
        return torch.cat([self._anomaly(part) for part in images.split(self._at_once(images))])

    def _anomaly(self, images: Tensor) -> Tensor:
        found = self.fitted(images)
        drawn = self.model.drawn(found.parameters)
        if self.by == "chi_square":
            misfit = (self._data(images) - drawn.image).square() / self.noise().variance(drawn.image)
            return torch.where(found.converged, misfit.mean(dim=1), 1.0)
        scanned = self.scanned(images, drawn, field=self.by == "evidence")
        score = scanned.significance.amax(dim=(1, 2)) if scanned.evidence is None else scanned.evidence
        return torch.where(found.converged, score, 0.0)

    def oddness(self, images: Tensor) -> Tensor:
        """The square, in units of the noise, of what the field of masses adds to the image."""
        maps = []
        for part in images.split(self._at_once(images)):
            field = self.scanned(part, self.model.drawn(self.fitted(part).parameters), field=True).field
            assert field is not None
            maps.append(field.square().view_as(part))
        return torch.cat(maps)

    def reconstruct(self, images: Tensor) -> Tensor:
        """The smooth lenses."""
        parts = [self.model(self.fitted(part).parameters) for part in images.split(self._at_once(images))]
        return torch.cat(parts).view_as(images) / self.scale

    def embed(self, images: Tensor) -> Tensor:
        """Their parameters, standardised."""
        parts = [self.fitted(part).parameters for part in images.split(self._at_once(images))]
        return (torch.cat(parts) - self.middle) / self.scatter

    def _data(self, images: Tensor) -> Tensor:
        return (images * self.scale).flatten(1)

    @staticmethod
    def _at_once(images: Tensor) -> int:
        return AT_ONCE if images.device.type == "cpu" else len(images)
