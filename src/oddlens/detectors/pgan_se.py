"""GAN with a simultaneous encoder: reconstruction error of a generator of lenses and its inverse.

A generator G and a critic D are trained against each other as in Arjovsky et al. 2017. An encoder E learns to invert G
from the first step on, after Berg et al. 2019 (arXiv:1905.11034) and, in the latent space, ClusterGAN (Mukherjee et al.
2019, arXiv:1809.03627). With codes z from the prior, and distances over all coordinates of an image, the losses are

    D:      E D(G(z)) - E D(x) + 10 E (|grad D(x^)| - 1)^2 + 0.001 E D(x)^2       `adversary: wgan_gp`
    G, E:   -E D(G(z)) + cycle_weight E |G(z) - G(E(G(z)))| + real_weight E (x - G(E(x)))^2 / noise^2

(Gulrajani et al. 2017, arXiv:1704.00028; x^ lies between a real and a generated image.) The cycle is in coordinates of
the networks, the misfit in units of the noise at full size. With `joint: false`, the second and third term of the
second line train E alone, as in the published code. `adversary: saturating` are the losses of Goodfellow et al. 2014: D
minimises -E log s(D(x)) - E log(1 - s(D(G(z)))) with the logistic function s, and G maximises it. Without an adversary
(`none`) the model is an autoencoder, the control that shows what the adversary contributes.

`network: growing` are the networks of Karras et al. 2018 (arXiv:1710.10196), which grow with the image level by level,
and E with them; `components` are dense networks between principal components, which do not grow.

The camera is known. With `noise: camera`, G generates images without noise, and noise is added before D and E see them
(as in AmbientGAN, Bora et al. 2018): one unit of white noise in each pixel, as all images are in units of their noise.
With
`noise: generated`, G has to generate the noise as well. Scores are those of autoencoders, of D and of the codes.
"""

import copy
from functools import partial
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.adversarial import CodePrior, DenseCritic, critic_loss, generator_loss
from oddlens.detectors.blocks.autoencoder import Autoencoder
from oddlens.detectors.blocks.coordinates import ComponentCoordinates, PlusMinusOne
from oddlens.detectors.blocks.growing import GrowingGenerator, GrowingTrunk, Maps, at_level, growth_phase, n_levels
from oddlens.detectors.blocks.reconstruction import ReconstructionDetector
from oddlens.detectors.blocks.residuals import mean_per_image, squared
from oddlens.detectors.interface.capabilities import KeepsTrainingSnapshots, Samples
from oddlens.detectors.interface.image_module import SAMPLE_SIZE
from oddlens.training.images import TrainingImages
from oddlens.training.objectives import Batch, Objective
from oddlens.training.symmetries import orientations

SCORE_PARTS = ("matched", "features", "norm")
"""The parts of a combined score."""
N_SNAPSHOTS, SNAPSHOT_SIZE = 5, 8
"""A model keeps images of so many stages of its training, and so many of each."""
Phase = tuple[int, float] | tuple[()]
"""Level and alpha of growing networks."""


class PGANSE(ReconstructionDetector, Samples, KeepsTrainingSnapshots):
    """Generator and encoder of an autoencoder, and a critic.

    The autoencoder is the running average of the trained encoder and generator.

    Args:
        base_maps, most_maps: of growing networks, see `blocks.growing.Maps`.
        growth: the part of the training in which these grow; they have their full size in the rest.
        prior: z from `prior_scale` N(0, 1), `gaussian`; or `clustered`, ten of its numbers being a one-hot vector.
        encoder: trained `simultaneous`ly with G, or `afterwards`, for as many epochs again (then `joint: false`).
        joint: whether the losses that train E, the cycle and the misfit of training images, train G too.
        cycle: between generated images, |G(z) - G(E(G(z)))| (`image`), between codes (`latent`: squared error,
            cross-entropy of the one-hot part), or `both`.
        real_weight: of the misfit of training images; 0 trains E on generated images alone.
        noise: added by the `camera`, or `generated`.
        critic_rate: the learning rate of D.
        average: the decay of the running averages with each step.
        score: that of autoencoders; `features`, the mean difference of x and G(E(x)) in the last features of D that do
            not depend on other images; `norm`, |E(x)|; or `combined`, the sum of both and `matched`, each standardised
            by its mean and scatter over training images.
    """

    moments: Tensor
    snapshots: Tensor
    snapshot_count: Tensor

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
        noise: Literal["camera", "generated"] = "camera",
        critic_rate: PositiveFloat = 1e-3,
        average: Annotated[float, Field(ge=0, lt=1)] = 0.9,
        score: Literal["relative", "expected", "matched", "error", "features", "norm", "combined"] = "relative",
        **common: Any,
    ):
        own = score in ("features", "norm", "combined")
        super().__init__(pixels, **common | ({} if own else {"score": score}))
        self.prior = CodePrior(self.latent, prior_scale, clustered=prior == "clustered")
        if joint and encoder == "afterwards":
            raise ValueError("encoder: afterwards trains the encoder when the generator is complete: set joint: false")
        if adversary == "none" and score in ("features", "combined"):
            raise ValueError(f"score: {score} needs a critic, and adversary: none has none: choose another score")
        self.levels, self.critic = self._networks(network, Maps(base_maps, most_maps))
        if adversary == "none":
            self.critic = None
        self.encoder, self.generator = map(copy.deepcopy, (self.autoencoder.encoder, self.autoencoder.decoder))
        self.register_buffer("moments", torch.tensor([[0.0, 1.0]] * len(SCORE_PARTS)))
        self.register_buffer("snapshots", torch.zeros(N_SNAPSHOTS, SNAPSHOT_SIZE, pixels, pixels))
        self.register_buffer("snapshot_count", torch.zeros((), dtype=torch.long))
        self.adversary: Any = adversary
        self.growth, self.joint, self.simultaneous = growth, joint, encoder == "simultaneous"
        self.cycle, self.cycle_weight, self.real_weight = cycle, cycle_weight, real_weight
        self.camera_noise, self.critic_rate, self.decay = noise == "camera", self.schedule(critic_rate), average
        self.own_score = score if own else None

    def _networks(self, network: str, maps: Maps) -> tuple[int, Any]:
        """The number of levels, and a critic. Growing networks replace those of the autoencoder."""
        dense = self.autoencoder.coordinates
        if network == "components" and isinstance(dense, ComponentCoordinates):
            return 0, DenseCritic(dense.count, self.width, self.depth)
        count = n_levels(self.pixels)
        encoder = GrowingTrunk(count, self.latent, maps, statistic=False)
        self.autoencoder = Autoencoder(PlusMinusOne(), encoder, GrowingGenerator(count, self.latent, maps))
        return count, GrowingTrunk(count, 1, maps, statistic=True)

    # --- training -----------------------------------------------------------------------------------------------------

    def reconstruction_objectives(self) -> list[Objective]:
        """The critic; generator and encoder, together or one after the other."""
        common: Any = {"betas": (0.0, 0.99), "growing": bool(self.levels)}
        slow: Any = {**common, **self.optimisation}
        generator, encoder = (self.generator,), (self.encoder,)
        objectives = []
        if self.critic:
            objectives.append(Objective("critic", (self.critic,), self._critic_loss, self.critic_rate, **common))
        if self.joint and self.simultaneous:
            name, both = "generator and encoder", (*generator, *encoder)
            objectives.append(Objective(name, both, self._joint_loss, after=self._after_generator, **slow))
        else:
            stage = int(not self.simultaneous)
            objectives += [
                Objective("generator", generator, self._generator_loss, after=self._after_generator, **slow),
                Objective("encoder", encoder, self._encoder_loss, stage=stage, after=self._update_averages, **slow),
            ]
        return objectives

    def _critic_loss(self, batch: Batch) -> Tensor:
        phase = self._phase(batch.progress)
        real = self._real(batch, phase)
        with torch.no_grad():
            images = self.generator(self._sample_codes(batch), *phase)
            fake = self._with_noise(images, phase, batch.generator).to(real.dtype)
        return critic_loss(partial(self._judge, phase), real, fake, self.adversary, batch.generator)

    def _generator_loss(self, batch: Batch) -> Tensor:
        phase = self._phase(batch.progress)
        return self._adversarial_loss(self.generator(self._sample_codes(batch), *phase), phase, batch)

    def _encoder_loss(self, batch: Batch) -> Tensor:
        phase, codes = self._phase(batch.progress if self.simultaneous else 1.0), self._sample_codes(batch)
        with torch.no_grad():
            images = self.generator(codes, *phase)
        return self._inversion_loss(codes, images, phase, batch)

    def _joint_loss(self, batch: Batch) -> Tensor:
        phase, codes = self._phase(batch.progress), self._sample_codes(batch)
        images = self.generator(codes, *phase)
        return self._adversarial_loss(images, phase, batch) + self._inversion_loss(codes, images, phase, batch)

    def _adversarial_loss(self, images: Tensor, phase: Phase, batch: Batch) -> Tensor:
        if not self.critic:
            return images.new_zeros((), dtype=torch.float32)
        fake = self._with_noise(images, phase, batch.generator)
        return generator_loss(partial(self._judge, phase), fake, self.adversary)

    def _inversion_loss(self, codes: Tensor, images: Tensor, phase: Phase, batch: Batch) -> Tensor:
        """The cycle of generated images and codes, and the misfit of real images; [n] if there is a misfit."""
        outputs = self.encoder(self._with_noise(images, phase, batch.generator), *phase).float()
        loss = outputs.new_zeros(())
        if self.cycle != "latent":
            again = self.generator(self.prior.activated(outputs), *phase)
            loss = loss + self.cycle_weight * (images - again).float().abs().mean()
        if self.cycle != "image":
            loss = loss + self.cycle_weight * self.prior.cycle_loss(codes, outputs)
        if self.real_weight:
            real = self._real(batch, phase)
            again = self.generator(self.prior.activated(self.encoder(real, *phase).float()), *phase)
            misfit = ((real - again) * self.autoencoder.coordinates.unit).float().square()
            loss = loss + self.real_weight * mean_per_image(misfit)
        return loss

    @torch.no_grad()
    def _update_averages(self, batch: Batch) -> None:
        """A step of the running averages."""
        pairs = (self.autoencoder.decoder, self.generator), (self.autoencoder.encoder, self.encoder)
        for average, current in pairs:
            torch._foreach_lerp_(list(average.parameters()), list(current.parameters()), 1 - self.decay)

    def _after_generator(self, batch: Batch) -> None:
        """A step of the running averages, and a snapshot if it is time for one."""
        self._update_averages(batch)
        if int(batch.progress * N_SNAPSHOTS) > self.snapshot_count:
            self._take_snapshot(self._phase(batch.progress))

    def conclude(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Take the last snapshot, and measure mean and scatter of the parts of the score."""
        self._take_snapshot(self._phase(1.0))
        if self.critic:
            parts = [self._score_parts(batch) for batch in images.evenly_spaced(SAMPLE_SIZE).split(256)]
            values = torch.stack([torch.cat([part[name] for part in parts]) for name in SCORE_PARTS])
            self.moments.copy_(torch.stack([values.mean(dim=1), values.std(dim=1)], dim=1))

    @torch.no_grad()
    def _take_snapshot(self, phase: Phase) -> None:
        codes = self.prior.sample(SNAPSHOT_SIZE, torch.Generator(self.snapshots.device).manual_seed(0))
        images = self.autoencoder.decoder(codes, *phase).float()
        if phase:
            images = F.interpolate(images, self.pixels, mode="nearest")
        normalised = self.autoencoder.coordinates.inverse(images)
        self.snapshots[self.snapshot_count] = self.unstabilise(normalised, self.stabilised)[:, 0]
        self.snapshot_count += 1

    # --- codes and images ---------------------------------------------------------------------------------------------

    def _phase(self, progress: float) -> Phase:
        return growth_phase(progress, self.levels, self.growth) if self.levels else ()

    def _judge(self, phase: Phase, images: Tensor) -> Tensor:
        return self.critic(images, *phase)

    def _sample_codes(self, batch: Batch) -> Tensor:
        return self.prior.sample(len(batch.images), batch.generator)

    def _real(self, batch: Batch, phase: Phase) -> Tensor:
        """The coordinates of real images, at the level of the phase."""
        real = self.autoencoder.coordinates(batch.images)
        return at_level(real, *phase) if phase else real

    def _with_noise(self, images: Tensor, phase: Phase, generator: torch.Generator) -> Tensor:
        """The coordinates of generated images with the noise of the camera, which has unit deviation at full size."""
        if not self.camera_noise:
            return images
        size = (len(images), 1, self.pixels, self.pixels) if phase else images.shape
        noise = torch.randn(size, generator=generator, device=images.device) / self.autoencoder.coordinates.unit
        return images + (at_level(noise, *phase) if phase else noise)

    def code_of(self, inputs: Tensor) -> Tensor:
        """The codes of the averaged encoder."""
        return self.prior.activated(super().code_of(inputs).float())

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Images of codes from the prior; noise is added if it is not generated."""
        return self.decode_samples(self.prior.sample(count, generator), generator if self.camera_noise else None)

    def training_snapshots(self) -> Tensor:
        """Images without noise that were generated in the course of the training."""
        return self.snapshots[: int(self.snapshot_count)].unsqueeze(2)

    # --- scores -------------------------------------------------------------------------------------------------------

    def anomaly_score(self, images: Tensor) -> Tensor:
        """The setting `score`."""
        if not self.own_score:
            return super().anomaly_score(images)
        parts = self._score_parts(images)
        if self.own_score != "combined":
            return parts[self.own_score]
        return sum(
            (parts[name] - mean) / deviation for name, (mean, deviation) in zip(SCORE_PARTS, self.moments, strict=True)
        )

    def _score_parts(self, images: Tensor) -> dict[str, Tensor]:
        """The parts of a combined score that this model has."""
        norms, differences = [], []
        normalised = self.normalise(images)
        for oriented in orientations(normalised, self.symmetric):
            codes = self.code(oriented)
            norms.append(codes.norm(dim=1))
            if self.critic:
                pair = oriented, self.autoencoder.decode(codes)
                differences.append(mean_per_image(torch.sub(*map(self._features, pair)).abs()))
        parts = {"norm": norms, "features": differences}
        misfit = mean_per_image(squared(normalised - self._reconstruct(normalised), self.blur.item()))
        return {"matched": misfit} | {name: torch.stack(values).mean(dim=0) for name, values in parts.items() if values}

    def _features(self, normalised: Tensor) -> Tensor:
        """The last features of the critic that depend on each image alone."""
        return self.critic.features(self.autoencoder.coordinates(normalised))
