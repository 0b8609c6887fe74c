"""GAN with a simultaneous encoder: what a generator of lenses cannot be made to draw is odd.

A generator G and a critic D play the game of Arjovsky et al. 2017; an encoder E learns to invert G from the first step
on, after Berg et al. 2019 (arXiv:1905.11034) and, in the latent space, ClusterGAN (Mukherjee et al. 2019,
arXiv:1809.03627). With codes z from the prior, and distances over all coordinates of an image, the losses are

    D:      E D(G(z)) - E D(x) + 10 E (|grad D(x^)| - 1)^2 + 0.001 E D(x)^2       `adversary: wgan_gp`
    G, E:   -E D(G(z)) + cycle_weight E |G(z) - G(E(G(z)))| + real_weight E (x - G(E(x)))^2 / noise^2

(Gulrajani et al. 2017, arXiv:1704.00028; x^ lies between a real and a generated image.) The cycle is in coordinates of
the networks, the misfit in units of the noise at full size. With `joint: false` all but the first term of the second
line train E alone, as in the published code. `adversary: saturating` is the game of Goodfellow et al. 2014 instead: D
minimises -E log s(D(x)) - E log(1 - s(D(G(z)))) with the logistic function s, which G maximises. Without one (`none`)
an autoencoder is left, the control that tells what the game is worth.

`network: growing` are the networks of Karras et al. 2018 (arXiv:1710.10196), which grow with the image, convolution by
convolution, and E with them; `components` are dense ones between principal components, which need no growth.

The camera is known, so G draws what the sky looks like and noise is added before D and E see it (`noise: camera`; as in
AmbientGAN, Bora et al. 2018), in units of which all images are seen: one unit of white noise in each pixel. With
`noise: drawn` G has to draw the noise too. Scores are those of autoencoders, and what D and the codes say.
"""

import copy
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from oddlens.detectors.blocks.autoencoder import Autoencoder, Components, residual
from oddlens.detectors.blocks.growing import Generator, Maps, PlusMinusOne, Trunk, grown, levels, shown
from oddlens.detectors.blocks.reconstruction import ReconstructionDetector
from oddlens.detectors.blocks.residuals import mean_per_image, squared
from oddlens.detectors.interface.base import SAMPLE
from oddlens.training.images import Images
from oddlens.training.loop import Batch, Objective
from oddlens.training.symmetries import attitudes

PENALTY, DRIFT = 10.0, 1e-3
"""Weights of the gradient penalty and of D(x)^2."""
CLUSTERS = 10
"""Classes of the one-hot part of a clustered prior."""
PARTS = ("matched", "features", "norm")
"""What a combined score is made of."""
STAGES, SAMPLES = 5, 8
"""A model keeps images of so many stages of its training, and so many of each."""
Phase = tuple[int, float] | tuple[()]
"""Level and alpha of growing networks."""


class PGANSE(ReconstructionDetector):
    """Generator and encoder of an autoencoder that is the average of both over the last steps, and a critic.

    Args:
        base_maps, most_maps: of growing networks, see `blocks.growing.Maps`.
        growth: the part of the training in which those grow; they have their full size in the rest.
        prior: z from `prior_scale` N(0, 1), `gaussian`; or `clustered`, ten of its numbers being a one-hot vector.
        encoder: trained `simultaneous`ly with G, or `afterwards`, for as many epochs again (then `joint: false`).
        joint: whether what E is trained by, the cycle and the misfit of training images, trains G too.
        cycle: the image is to come back, |G(z) - G(E(G(z)))|, or z is (`latent`: squared error, cross-entropy of the
            one-hot part), or `both`.
        real_weight: of the misfit of training images; 0 if E is to learn from generated ones alone.
        critic_rate: the learning rate of D.
        average: decay of the running average of G and E with each step.
        score: as for autoencoders; or `features`: the mean difference of x and G(E(x)) in the last features of D that
            do not depend on its neighbours; `norm`: |E(x)|; `combined`: the sum of both and `matched`, each in units of
            its scatter over training images.
    """

    moments: Tensor
    samples: Tensor
    sampled: Tensor

    def __init__(
        self,
        pixels: int,
        *,
        network: Literal["components", "growing"] = "components",
        base_maps: PositiveInt = 8192,
        most_maps: PositiveInt = 512,
        growth: Annotated[float, Field(ge=0, le=1)] = 0.4,
        prior: Literal["gaussian", "clustered"] = "gaussian",
        prior_scale: PositiveFloat = 1.0,
        adversary: Literal["wgan_gp", "saturating", "none"] = "wgan_gp",
        encoder: Literal["simultaneous", "afterwards"] = "simultaneous",
        joint: bool = True,
        cycle: Literal["image", "latent", "both"] = "image",
        cycle_weight: NonNegativeFloat = 10.0,
        real_weight: NonNegativeFloat = 10.0,
        noise: Literal["camera", "drawn"] = "camera",
        critic_rate: PositiveFloat = 1e-3,
        average: Annotated[float, Field(ge=0, lt=1)] = 0.9,
        score: Literal["relative", "expected", "matched", "error", "features", "norm", "combined"] = "relative",
        **common: Any,
    ):
        own = score in ("features", "norm", "combined")
        super().__init__(pixels, **common | ({} if own else {"score": score}))
        if prior == "clustered" and self.latent <= CLUSTERS:
            raise ValueError(f"latent: {self.latent} leaves nothing beside the {CLUSTERS} classes of a clustered prior")
        if joint and encoder == "afterwards":
            raise ValueError("encoder: afterwards finds the generator done, so that nothing is joint: set joint: false")
        if adversary == "none" and score in ("features", "combined"):
            raise ValueError(f"score: {score} asks the critic, and with adversary: none there is none")
        self.levels, self.critic = self._networks(network, Maps(base_maps, most_maps))
        if adversary == "none":
            self.critic = None
        self.encoder, self.generator = map(copy.deepcopy, (self.autoencoder.encoder, self.autoencoder.decoder))
        self.register_buffer("moments", torch.tensor([[0.0, 1.0]] * len(PARTS)))
        self.register_buffer("samples", torch.zeros(STAGES, SAMPLES, pixels, pixels))
        self.register_buffer("sampled", torch.zeros((), dtype=torch.long))
        self.growth, self.clustered, self.prior_scale = growth, prior == "clustered", prior_scale
        self.wasserstein, self.joint, self.simultaneous = adversary == "wgan_gp", joint, encoder == "simultaneous"
        self.cycle, self.cycle_weight, self.real_weight = cycle, cycle_weight, real_weight
        self.camera_noise, self.critic_rate, self.decay = noise == "camera", self.rate(critic_rate), average
        self.own = score if own else None

    def _networks(self, network: str, maps: Maps) -> tuple[int, Any]:
        """How many levels there are, and a critic; growing networks take the place of the autoencoder's."""
        dense = self.autoencoder.coordinates
        if network == "components" and isinstance(dense, Components):
            return 0, DenseCritic(dense.count, self.width, self.depth)
        count = levels(self.pixels)
        pair = Trunk(count, self.latent, maps, statistic=False), Generator(count, self.latent, maps)
        self.autoencoder = Autoencoder(PlusMinusOne(), *pair)
        return count, Trunk(count, 1, maps, statistic=True)

    # --- training -----------------------------------------------------------------------------------------------------

    def drawing(self) -> list[Objective]:
        """Critic; generator and encoder, together or one after the other."""
        common: Any = {"betas": (0.0, 0.99), "growing": bool(self.levels)}
        slow: Any = {**common, **self.optimisation}
        generator, encoder = (self.generator,), (self.encoder,)
        found = []
        if self.critic:
            found.append(Objective("critic", (self.critic,), self._criticism, self.critic_rate, **common))
        if self.joint and self.simultaneous:
            name = "generator and encoder"
            found.append(Objective(name, (*generator, *encoder), self._both, after=self._played, **slow))
        else:
            found.append(Objective("generator", generator, self._generation, after=self._played, **slow))
            stage = int(not self.simultaneous)
            found.append(Objective("encoder", encoder, self._inversion, stage=stage, after=self._follow, **slow))
        return found

    def _criticism(self, batch: Batch) -> Tensor:
        phase = self._phase(batch.progress)
        real = self._real(batch, phase)
        with torch.no_grad():
            drawn = self.generator(self._codes(batch), *phase)
            fake = self._noisy(drawn, phase, batch.generator).to(real.dtype)
        of_real, of_fake = (self.critic(images, *phase).float() for images in (real, fake))
        if not self.wasserstein:
            return (F.softplus(-of_real) + F.softplus(of_fake)).mean()
        shape = (len(real), *[1] * (real.ndim - 1))
        place = torch.rand(shape, generator=batch.generator, device=real.device)
        between = torch.lerp(real, fake, place).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between, *phase).sum(), between, create_graph=True)
        penalty = (slope.float().flatten(1).norm(dim=1) - 1).square().mean()
        return (of_fake - of_real).mean() + PENALTY * penalty + DRIFT * of_real.square().mean()

    def _generation(self, batch: Batch) -> Tensor:
        phase = self._phase(batch.progress)
        return self._deceit(self.generator(self._codes(batch), *phase), phase, batch)

    def _inversion(self, batch: Batch) -> Tensor:
        phase, codes = self._phase(batch.progress if self.simultaneous else 1.0), self._codes(batch)
        with torch.no_grad():
            drawn = self.generator(codes, *phase)
        return self._return(codes, drawn, phase, batch)

    def _both(self, batch: Batch) -> Tensor:
        phase, codes = self._phase(batch.progress), self._codes(batch)
        drawn = self.generator(codes, *phase)
        return self._deceit(drawn, phase, batch) + self._return(codes, drawn, phase, batch)

    def _deceit(self, drawn: Tensor, phase: Phase, batch: Batch) -> Tensor:
        """What the generator loses when the critic sees through it."""
        if not self.critic:
            return drawn.new_zeros((), dtype=torch.float32)
        found = self.critic(self._noisy(drawn, phase, batch.generator), *phase).float()
        return -found.mean() if self.wasserstein else -F.softplus(found).mean()

    def _return(self, codes: Tensor, drawn: Tensor, phase: Phase, batch: Batch) -> Tensor:
        """What images and codes lose on their way through encoder and generator; [n] if real images are among them."""
        found = self.encoder(self._noisy(drawn, phase, batch.generator), *phase).float()
        loss = found.new_zeros(())
        if self.cycle != "latent":
            again = self.generator(self._probable(found), *phase)
            loss = loss + self.cycle_weight * (drawn - again).float().abs().mean()
        if self.cycle != "image":
            numbers = self.latent - CLUSTERS * self.clustered
            lost = (codes - found)[:, :numbers].square().mean() / self.prior_scale**2
            if self.clustered:
                lost = lost + F.cross_entropy(found[:, numbers:], codes[:, numbers:])
            loss = loss + self.cycle_weight * lost
        if self.real_weight:
            real = self._real(batch, phase)
            again = self.generator(self._probable(self.encoder(real, *phase).float()), *phase)
            misfit = ((real - again) * self.autoencoder.coordinates.unit).float().square()
            loss = loss + self.real_weight * mean_per_image(misfit)
        return loss

    @torch.no_grad()
    def _follow(self, batch: Batch) -> None:
        """A step of the running averages."""
        pairs = (self.autoencoder.decoder, self.generator), (self.autoencoder.encoder, self.encoder)
        for average, current in pairs:
            torch._foreach_lerp_(list(average.parameters()), list(current.parameters()), 1 - self.decay)

    def _played(self, batch: Batch) -> None:
        """That, and now and then some images to remember."""
        self._follow(batch)
        if int(batch.progress * STAGES) > self.sampled:
            self._sample(self._phase(batch.progress))

    def conclude(self, images: Images, generator: torch.Generator) -> None:
        """Draw the last images, and learn how much scores scatter."""
        self._sample(self._phase(1.0))
        if self.critic:
            parts = [self._parts(batch) for batch in images.some(SAMPLE).split(256)]
            values = torch.stack([torch.cat([part[name] for part in parts]) for name in PARTS])
            self.moments.copy_(torch.stack([values.mean(dim=1), values.std(dim=1)], dim=1))

    @torch.no_grad()
    def _sample(self, phase: Phase) -> None:
        codes = self.prior(SAMPLES, torch.Generator(self.samples.device).manual_seed(0))
        drawn = self.autoencoder.decoder(codes, *phase).float()
        if phase:
            drawn = F.interpolate(drawn, self.pixels, mode="nearest")
        seen = self.autoencoder.coordinates.inverse(drawn)
        self.samples[self.sampled] = self.show(seen, self.stabilised)[:, 0]
        self.sampled += 1

    # --- codes and images ---------------------------------------------------------------------------------------------

    def _phase(self, progress: float) -> Phase:
        return grown(progress, self.levels, self.growth) if self.levels else ()

    def _codes(self, batch: Batch) -> Tensor:
        return self.prior(len(batch.images), batch.generator)

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        """Codes that are drawn."""
        codes = self.prior_scale * torch.randn((count, self.latent), generator=generator, device=generator.device)
        if self.clustered:
            classes = torch.randint(CLUSTERS, (count,), generator=generator, device=generator.device)
            codes[:, -CLUSTERS:] = F.one_hot(classes, CLUSTERS).to(codes.dtype)
        return codes

    def code(self, seen: Tensor) -> Tensor:
        """What the encoder says."""
        return self._probable(super().code(seen).float())

    def _probable(self, codes: Tensor) -> Tensor:
        """What an encoder says, with the logits of a one-hot part made probabilities."""
        if not self.clustered:
            return codes
        return torch.cat([codes[:, :-CLUSTERS], codes[:, -CLUSTERS:].softmax(dim=1)], dim=1)

    def _real(self, batch: Batch, phase: Phase) -> Tensor:
        real = self.autoencoder.coordinates(self.seen(batch.images))
        return shown(real, *phase) if phase else real

    def _noisy(self, drawn: Tensor, phase: Phase, generator: torch.Generator) -> Tensor:
        """What a camera makes of drawn images: its noise, of unit deviation at full size."""
        if not self.camera_noise:
            return drawn
        size = (len(drawn), 1, self.pixels, self.pixels) if phase else drawn.shape
        noise = torch.randn(size, generator=generator, device=drawn.device) / self.autoencoder.coordinates.unit
        return drawn + (shown(noise, *phase) if phase else noise)

    def photographed(self, drawn: Tensor, generator: torch.Generator) -> Tensor:
        """Drawn images with noise, unless that is drawn too."""
        return super().photographed(drawn, generator) if self.camera_noise else drawn

    # --- scores -------------------------------------------------------------------------------------------------------

    def album(self) -> Tensor:
        """What it drew in the course of its training, without noise."""
        return self.samples[: int(self.sampled)].unsqueeze(2)

    def anomaly(self, images: Tensor) -> Tensor:
        """What `score` says."""
        if not self.own:
            return super().anomaly(images)
        parts = self._parts(images)
        if self.own != "combined":
            return parts[self.own]
        return sum(
            (parts[name] - mean) / deviation for name, (mean, deviation) in zip(PARTS, self.moments, strict=True)
        )

    def _parts(self, images: Tensor) -> dict[str, Tensor]:
        """The parts of a combined score, whatever `score` this model has."""
        norms, differences = [], []
        seen = self.seen(images)
        for attitude in attitudes(seen, self.symmetric):
            codes = self.code(attitude)
            norms.append(codes.norm(dim=1))
            if self.critic:
                pair = attitude, self.autoencoder.decode(codes)
                differences.append(mean_per_image(torch.sub(*map(self._features, pair)).abs()))
        parts = {"norm": norms, "features": differences}
        misfit = mean_per_image(squared(seen - self._drawn(seen), self.blur.item()))
        return {"matched": misfit} | {name: torch.stack(values).mean(dim=0) for name, values in parts.items() if values}

    def _features(self, seen: Tensor) -> Tensor:
        """The last of what the critic makes of each image alone."""
        return self.critic.features(self.autoencoder.coordinates(seen))


class DenseCritic(nn.Module):
    """Coordinates of images [n, count] to a number each, [n, 1]."""

    def __init__(self, count: int, width: int, depth: int):
        super().__init__()
        self.layers = residual(count, 1, width, depth)

    def features(self, x: Tensor) -> Tensor:
        """What it makes of each image, [n, width]."""
        return self.layers[:-1](x)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        features = self.features(x)
        with torch.autocast(x.device.type, enabled=False):  # as in `Trunk`
            return self.layers[-1](features.float())
