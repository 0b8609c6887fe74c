"""Growing GAN with a simultaneous encoder: what a generator of lenses cannot be made to draw is odd.

Generator G and discriminator D grow as in Karras et al. 2018 (arXiv:1710.10196); an encoder E learns to invert G from
the first step on and grows with it, after Berg et al. 2019 (arXiv:1905.11034) and, in the latent space, ClusterGAN
(Mukherjee et al. 2019, arXiv:1809.03627). With z from the prior the losses are

    D:      E D(G(z)) - E D(x) + 10 E (|grad D(x^)| - 1)^2 + 0.001 E D(x)^2       `adversary: wgan_gp`
    G, E:   -E D(G(z)) + cycle_weight E |G(z) - G(E(G(z)))|                       `joint: true`

(Gulrajani et al. 2017, arXiv:1704.00028; x^ lies between a real and a generated image.) With `joint: false` the second
term trains E alone, as in the published code. `adversary: saturating` is the game of Goodfellow et al. 2014 instead: D
minimises -E log s(D(x)) - E log(1 - s(D(G(z)))) with the logistic function s, and G maximises that.

The camera is known, so G draws what the sky looks like and noise is added before D and E see it (`noise: camera`; as in
AmbientGAN, Bora et al. 2018), in units of which all images are seen: one unit of white noise in each pixel. With
`noise: drawn` G has to draw the noise too. The score is the misfit of G(E(x)), where G is the running average of its
weights, beside what is to be expected of lenses of such codes (`blocks/expectation.py`); see `score` for others.
"""

from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from oddlens.detectors.base import SAMPLE, Detector
from oddlens.detectors.blocks import cosine, mean_per_image
from oddlens.detectors.blocks.autoencoder import UpToOne
from oddlens.detectors.blocks.expectation import SCORES, expectation_for
from oddlens.detectors.blocks.growing import Generator, Maps, Trunk, grown, levels, normalised, shown
from oddlens.detectors.blocks.residuals import squared
from oddlens.images import Images
from oddlens.symmetries import attitudes, symmetric_mean
from oddlens.training import Batch, Objective

EXPECTATION_RATE, SHARE = 4e-3, 0.25
"""Learning rate of the expectation, and its epochs in units of those of the game."""
PENALTY, DRIFT = 10.0, 1e-3
"""Weights of the gradient penalty and of D(x)^2."""
CLUSTERS = 10
"""Classes of the one-hot part of a clustered prior."""
PARTS = ("residual", "features", "norm")
SAMPLES = 8
"""Images of each level that a model keeps."""
Stage = tuple[int, float]


class PGANSE(Detector):
    """Generator, discriminator and encoder, and the average of the generator over its last steps.

    Args:
        latent: the length of z.
        base_maps, most_maps: see `blocks.growing.Maps`.
        growth: the part of the training in which the networks grow; they have their full size in the rest.
        prior: z from `prior_scale` N(0, 1), `gaussian`; or `clustered`, ten of its numbers being a one-hot vector.
        pixel_norm: bring z to a mean square of 1 before it enters G.
        encoder: trained `simultaneous`ly with G, or `afterwards`, for as many epochs again.
        joint: whether the cycle trains G too.
        cycle: the image is to come back, |G(z) - G(E(G(z)))|, or z is (`latent`: squared error, cross-entropy of the
            one-hot part), or `both`.
        real_cycle: the training images are to come back too.
        expectation: learn how large a misfit lenses of each code have, too; a network of `width` and `depth`.
        score: `residual`: the misfit of G(E(x)), through the PSF; `relative`: that beside the expectation, which is
            `expected` alone; `features`:
            the mean difference of x and G(E(x)) in the last maps of D before its minibatch statistic; `norm`: |E(x)|;
            `combined`: the sum of residual, features and norm, each in units of its scatter over training images.
        symmetric: score by the mean over an image in all eight attitudes.
        average: decay of the running average of G with each step.
    """

    scoring = ("score",)
    moments: Tensor
    samples: Tensor
    sampled: Tensor

    def __init__(
        self,
        pixels: int,
        *,
        latent: PositiveInt = 512,
        base_maps: PositiveInt = 8192,
        most_maps: PositiveInt = 512,
        growth: Annotated[float, Field(ge=0, le=1)] = 0.4,
        prior: Literal["gaussian", "clustered"] = "gaussian",
        prior_scale: PositiveFloat = 1.0,
        pixel_norm: bool = True,
        adversary: Literal["wgan_gp", "saturating"] = "wgan_gp",
        encoder: Literal["simultaneous", "afterwards"] = "simultaneous",
        joint: bool = True,
        cycle: Literal["image", "latent", "both"] = "image",
        cycle_weight: NonNegativeFloat = 10.0,
        real_cycle: bool = False,
        noise: Literal["camera", "drawn"] = "camera",
        expectation: bool = True,
        width: PositiveInt = 128,
        depth: PositiveInt = 4,
        score: Literal["relative", "expected", "residual", "features", "norm", "combined"] = "relative",
        symmetric: bool = True,
        learning_rate: PositiveFloat = 1e-3,
        average: Annotated[float, Field(ge=0, lt=1)] = 0.999,
    ):
        super().__init__(pixels)
        if prior == "clustered" and latent <= CLUSTERS:
            raise ValueError(f"latent: {latent} leaves nothing beside the {CLUSTERS} classes of a clustered prior")
        self.levels, self.growth = levels(pixels), growth
        maps = Maps(base_maps, most_maps)
        self.generator = Generator(self.levels, latent, maps)
        self.discriminator = Trunk(self.levels, 1, maps, statistic=True)
        self.encoder = Trunk(self.levels, latent, maps, statistic=False)
        self.average = AveragedModel(self.generator, multi_avg_fn=get_ema_multi_avg_fn(average))
        self.expectation = expectation_for(score, wanted=expectation, codes=latent, width=width, depth=depth)
        self.brightest = UpToOne()
        self.register_buffer("moments", torch.tensor([[0.0, 1.0]] * len(PARTS)))
        self.register_buffer("samples", torch.zeros(self.levels, SAMPLES, pixels, pixels))
        self.register_buffer("sampled", torch.zeros((), dtype=torch.long))
        self.latent, self.clustered, self.prior_scale = latent, prior == "clustered", prior_scale
        self.pixel_norm, self.wasserstein, self.joint = pixel_norm, adversary == "wgan_gp", joint
        self.simultaneous = encoder == "simultaneous"
        self.cycle, self.cycle_weight, self.real_cycle = cycle, cycle_weight, real_cycle
        self.camera_noise, self.score_by, self.symmetric = noise == "camera", score, symmetric
        self.learning_rate = learning_rate

    # --- training -----------------------------------------------------------------------------------------------------

    def prepare(self, images: Images, generator: torch.Generator) -> None:
        """Find the brightest pixel."""
        self.brightest.learn(images.seen(self.see), generator, symmetric=False)

    def objectives(self) -> list[Objective]:
        """Discriminator; generator and encoder, together or one after the other; expectation."""
        common: Any = {"learning_rate": lambda progress: self.learning_rate, "betas": (0.0, 0.99), "growing": True}
        generator, encoder = (self.generator,), (self.encoder,)
        found = [Objective("discriminator", (self.discriminator,), self._discrimination, **common)]
        if self.joint and self.simultaneous:
            name = "generator and encoder"
            found.append(Objective(name, (*generator, *encoder), self._both, after=self._average, **common))
        else:
            found.append(Objective("generator", generator, self._generation, after=self._average, **common))
            found.append(Objective("encoder", encoder, self._inversion, stage=int(not self.simultaneous), **common))
        if self.expectation:
            how: Any = {"learning_rate": cosine(EXPECTATION_RATE), "optimiser": "muon", "share": SHARE}
            found.append(self.expectation.objective(self._look, stage=1 + found[-1].stage, **how))
        return found

    def _look(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Codes of images, and their misfits if drawn once."""
        seen = self.see(batch.images)
        codes = self._encode(seen)
        return codes, mean_per_image(squared(seen - self._decode(codes), self._blur))

    def _discrimination(self, batch: Batch) -> Tensor:
        stage = self._stage(batch.progress)
        real = shown(self._scaled(self.see(batch.images)), *stage)
        with torch.no_grad():
            fake = self._photographed(self.generator(self._input(self._codes(batch)), *stage), stage, batch.generator)
        of_real, of_fake = (self.discriminator(images, *stage).float() for images in (real, fake))
        if not self.wasserstein:
            return (F.softplus(-of_real) + F.softplus(of_fake)).mean()
        place = torch.rand((len(real), 1, 1, 1), generator=batch.generator, device=real.device)
        between = torch.lerp(real, fake.to(real.dtype), place).requires_grad_()
        (slope,) = torch.autograd.grad(self.discriminator(between, *stage).sum(), between, create_graph=True)
        penalty = (slope.float().flatten(1).norm(dim=1) - 1).square().mean()
        return (of_fake - of_real).mean() + PENALTY * penalty + DRIFT * of_real.square().mean()

    def _generation(self, batch: Batch) -> Tensor:
        stage = self._stage(batch.progress)
        return self._deceit(self.generator(self._input(self._codes(batch)), *stage), stage, batch)

    def _inversion(self, batch: Batch) -> Tensor:
        stage, codes = self._stage(batch.progress if self.simultaneous else 1.0), self._codes(batch)
        with torch.no_grad():
            drawn = self.generator(self._input(codes), *stage)
        return self._cycle(codes, drawn, stage, batch)

    def _both(self, batch: Batch) -> Tensor:
        stage, codes = self._stage(batch.progress), self._codes(batch)
        drawn = self.generator(self._input(codes), *stage)
        return self._deceit(drawn, stage, batch) + self.cycle_weight * self._cycle(codes, drawn, stage, batch)

    def _deceit(self, drawn: Tensor, stage: Stage, batch: Batch) -> Tensor:
        """What the generator loses when the discriminator sees through it."""
        found = self.discriminator(self._photographed(drawn, stage, batch.generator), *stage).float()
        return -found.mean() if self.wasserstein else -F.softplus(found).mean()

    def _cycle(self, codes: Tensor, drawn: Tensor, stage: Stage, batch: Batch) -> Tensor:
        """What an image, or its code, loses on its way through encoder and generator."""
        found = self.encoder(self._photographed(drawn, stage, batch.generator), *stage).float()
        loss = found.new_zeros(())
        if self.cycle != "latent":
            loss = loss + (drawn - self.generator(self._input(self._probable(found)), *stage)).abs().mean()
        if self.cycle != "image":
            numbers = self.latent - CLUSTERS * self.clustered
            loss = loss + (codes - found)[:, :numbers].square().mean() / self.prior_scale**2
            if self.clustered:
                loss = loss + F.cross_entropy(found[:, numbers:], codes[:, numbers:])
        if self.real_cycle:
            real = shown(self._scaled(self.see(batch.images)), *stage)
            again = self.generator(self._input(self._probable(self.encoder(real, *stage).float())), *stage)
            loss = loss + (real - again).abs().mean()
        return loss

    @torch.no_grad()
    def _average(self, batch: Batch) -> None:
        """A step of the running average; and of each level the last images before the next one begins."""
        level, _ = self._stage(batch.progress)
        if level > self.sampled:
            self._sample(level - 1)
        self.average.update_parameters(self.generator)

    def conclude(self, images: Images, generator: torch.Generator) -> None:
        """Draw the last images, and learn how much scores scatter."""
        self._sample(self.levels - 1)
        parts = [self._parts(batch) for batch in images.some(SAMPLE).split(256)]
        values = torch.stack([torch.cat([part[name] for part in parts]) for name in PARTS])
        self.moments.copy_(torch.stack([values.mean(dim=1), values.std(dim=1)], dim=1))

    def _sample(self, level: int) -> None:
        same = torch.Generator(self.samples.device).manual_seed(level)
        codes = self._input(self._draw_codes(SAMPLES, same))
        drawn = F.interpolate(self.average(codes, level).float(), self.pixels, mode="nearest")
        self.samples[level] = self.show(self._seen(drawn))[:, 0]
        self.sampled.fill_(level + 1)

    # --- codes and images ---------------------------------------------------------------------------------------------

    def _stage(self, progress: float) -> Stage:
        return grown(progress, self.levels, self.growth)

    def _codes(self, batch: Batch) -> Tensor:
        return self._draw_codes(len(batch.images), batch.generator)

    def _draw_codes(self, count: int, generator: torch.Generator) -> Tensor:
        codes = self.prior_scale * torch.randn((count, self.latent), generator=generator, device=generator.device)
        if self.clustered:
            classes = torch.randint(CLUSTERS, (count,), generator=generator, device=generator.device)
            codes[:, -CLUSTERS:] = F.one_hot(classes, CLUSTERS).to(codes.dtype)
        return codes

    def _probable(self, codes: Tensor) -> Tensor:
        """What the encoder says, with the logits of a one-hot part made probabilities."""
        if not self.clustered:
            return codes
        return torch.cat([codes[:, :-CLUSTERS], codes[:, -CLUSTERS:].softmax(dim=1)], dim=1)

    def _input(self, codes: Tensor) -> Tensor:
        return normalised(codes) if self.pixel_norm else codes

    def _scaled(self, seen: Tensor) -> Tensor:
        """Images in units of their noise to those of the networks, where lenses lie in [-1, 1]."""
        return 2 * self.brightest(seen) - 1

    def _seen(self, scaled: Tensor) -> Tensor:
        return self.brightest.inverse((scaled + 1) / 2)

    def _photographed(self, drawn: Tensor, stage: Stage, generator: torch.Generator) -> Tensor:
        """What a camera makes of drawn images: its noise, of unit deviation at full size."""
        if not self.camera_noise:
            return drawn
        size = (len(drawn), 1, self.pixels, self.pixels)
        noise = torch.randn(size, generator=generator, device=drawn.device)
        return drawn + 2 * self.brightest(shown(noise, *stage))

    # --- scores -------------------------------------------------------------------------------------------------------

    def embed(self, images: Tensor) -> Tensor:
        """What the encoder says."""
        return self._encode(self.see(images))

    def imagine(self, count: int, generator: torch.Generator) -> Tensor:
        """What the average generator draws, and the camera's noise unless it draws that too."""
        seen = self._decode(self._draw_codes(count, generator))
        if self.camera_noise:
            seen = seen + torch.randn(seen.shape, generator=generator, device=seen.device)
        return self.show(seen)

    def album(self) -> Tensor:
        """What it drew at the end of each level, without noise."""
        return self.samples.unsqueeze(2)

    def reconstruct(self, images: Tensor) -> Tensor:
        """What the generator draws for what the encoder says."""
        return self.show(self._drawn(self.see(images)))

    def oddness(self, images: Tensor) -> Tensor:
        """The misfit of each pixel."""
        seen = self.see(images)
        return squared(seen - self._drawn(seen), self._blur)

    def anomaly(self, images: Tensor) -> Tensor:
        """The misfit of each image, or what `score` says."""
        if self.score_by in ("residual", *SCORES):
            misfit = mean_per_image(self.oddness(images))
            if not self.expectation or self.score_by == "residual":
                return misfit
            codes = [self._encode(seen) for seen in attitudes(self.see(images), self.symmetric)]
            return self.expectation.score(self.score_by, misfit, codes)
        parts = self._parts(images)
        if self.score_by != "combined":
            return parts[self.score_by]
        return sum(
            (parts[name] - mean) / deviation for name, (mean, deviation) in zip(PARTS, self.moments, strict=True)
        )

    def _parts(self, images: Tensor) -> dict[str, Tensor]:
        norms, differences = [], []
        for seen in attitudes(self.see(images), self.symmetric):
            codes = self._encode(seen)
            norms.append(codes.norm(dim=1))
            maps = (self.discriminator.features(self._scaled(x), self.levels - 1) for x in (seen, self._decode(codes)))
            differences.append(mean_per_image(torch.sub(*maps).abs()))
        return {
            "residual": mean_per_image(self.oddness(images)),
            "features": torch.stack(differences).mean(dim=0),
            "norm": torch.stack(norms).mean(dim=0),
        }

    @property
    def _blur(self) -> float:
        return self.blur.item() if self.camera_noise else 0.0

    def _encode(self, seen: Tensor) -> Tensor:
        """Images in units of their noise to codes, which `_decode` draws with the average generator."""
        return self._probable(self.encoder(self._scaled(seen), self.levels - 1).float())

    def _decode(self, codes: Tensor) -> Tensor:
        return self._seen(self.average(self._input(codes), self.levels - 1).float())

    def _drawn(self, seen: Tensor) -> Tensor:
        def draw(seen: Tensor) -> Tensor:
            return self._decode(self._encode(seen))

        return symmetric_mean(draw, seen) if self.symmetric else draw(seen)
