"""Bayesian evidence of an image for a smooth lens, and for a smooth lens with one additional mass, with PyAutoLens.

The likelihood is PyAutoLens's (`AnalysisImaging`, under JAX), and model and priors are PyAutoFit's. Nautilus (Lange
2023, MNRAS 525, 3181), the sampler that they recommend, integrates the likelihood over the prior. It is called here
without PyAutoFit's searches, which keep folders of output and pickles.

The priors of the smooth lens are those of an observer of many lenses: each parameter is normal about the mean of lenses
sampled from the simulation, with a larger scatter. The mass is that of the scan of `lensfit`
(`detectors/blocks/scan.py`): softened, anywhere on a square, with a half-normal prior on its Einstein radius squared.
So the difference of the log evidences corresponds to the log `odds` of that scan. The scan computes them in a linear
approximation about one optimum; here the model is not linearised, and the integral covers all smooth lenses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from autoarray import decorators
from autogalaxy.profiles.mass.abstract.abstract import MassProfile
from nautilus import Sampler

from oddlens.lensing import scene
from oddlens.lensing.reference import af, al, tracer
from oddlens.lensing.simulation import Simulation, complexities
from oddlens.lensing.substructure_classes import SMOOTH

N_PRIOR_LENSES = 512
"""Lenses sampled from the simulation to set the priors."""
PRIOR_WIDTH_FACTOR, MIN_SCATTER = 1.5, 0.1
"""The width of a prior is the scatter of the sampled lenses times the first. The scatter is at least the second (for
sizes and brightness, relative to the mean), so that parameters that the simulation fixes are free as well: dark matter
may change them."""
RAYS = 4
"""Rays per pixel side. The error of chi-square of a model image is then below one."""
N_EFFECTIVE_SAMPLES = 500
"""Effective number of posterior samples. The error of the log evidence is then about 0.05."""
UPDATE_FACTOR = 3
"""Factor on the sampler's default number of points per bound. Learning a bound takes a second, the time of thousands of
likelihoods."""
BATCH_SIZE = 4
"""Likelihoods computed at once. On a CPU 4 are five times as fast as single ones, and twice as fast as 100."""
MIN_LOG_LIKELIHOOD = -1e30
"""The log likelihood of a lens whose image is not finite."""
TRUNCATION_SIGMA = 10.0
"""Priors of positive parameters are truncated at this number of standard deviations above the mean."""


@dataclass(frozen=True)
class ObservedImage:
    """The data of an observer: an image, its noise map (both [pixels, pixels]), and its PSF; flux / arcsec^2."""

    image: np.ndarray
    sigma: np.ndarray
    psf: np.ndarray
    pixel_scale_arcsec: float


@dataclass(frozen=True)
class MassPrior:
    """The prior of the additional mass; see `LensFit` for the parameters."""

    half_width_arcsec: float = 2.4
    softening_arcsec: float = 0.1
    heaviest_arcsec2: float = 0.1


@dataclass(frozen=True)
class Posterior:
    """The result of nested sampling.

    Attributes:
        error: standard deviation of the log evidence, from the effective number of samples.
        calls: of the likelihood.
        points: [n, parameters].
        weights: of the points, [n]; their sum is 1.
        log_likelihoods: [n].
    """

    log_evidence: float
    error: float
    calls: int
    points: np.ndarray
    weights: np.ndarray
    log_likelihoods: np.ndarray

    @property
    def best(self) -> np.ndarray:
        """The point with the largest likelihood, [parameters]."""
        return self.points[np.argmax(self.log_likelihoods)]

    def quantiles(self, k: int, at: tuple[float, ...] = (0.16, 0.5, 0.84)) -> np.ndarray:
        """Quantiles of parameter k."""
        order = np.argsort(self.points[:, k])
        return np.interp(at, np.cumsum(self.weights[order]), self.points[order, k])


def nested_sampling(
    log_likelihood: Callable[[np.ndarray], np.ndarray],
    prior: Callable[[np.ndarray], np.ndarray],
    dimensions: int,
    *,
    live: int,
    seed: int,
) -> Posterior:
    """Integrate a likelihood over a prior.

    Args:
        log_likelihood: of points [n, dimensions].
        prior: the transformation of points of the unit cube [n, dimensions] to points of the prior.
        live: number of live points. More points take more time and miss fewer modes.
    """
    sampler = Sampler(
        prior,
        log_likelihood,
        n_dim=dimensions,
        n_live=live,
        n_update=UPDATE_FACTOR * live,
        n_like_new_bound=10 * UPDATE_FACTOR * live,
        n_networks=1,
        vectorized=True,
        seed=seed,
    )
    # The points that the bounds were built from are discarded: they would bias the evidence.
    sampler.run(n_eff=N_EFFECTIVE_SAMPLES, discard_exploration=True)
    points, log_weights, log_likelihoods = sampler.posterior()
    return Posterior(
        log_evidence=float(sampler.log_z),
        error=float(sampler.n_eff**-0.5),
        calls=int(sampler.n_like),
        points=points,
        weights=np.exp(log_weights - np.logaddexp.reduce(log_weights)),
        log_likelihoods=log_likelihoods,
    )


class SoftenedPointMass(MassProfile):
    """The mass of the scan as a profile of PyAutoLens, with the deflection area d / (d^2 + softening^2)."""

    def __init__(self, y: float = 0.0, x: float = 0.0, area: float = 0.0, softening: float = 0.1):
        super().__init__(centre=(0.0, 0.0), ell_comps=(0.0, 0.0))
        self.y, self.x, self.area, self.softening = y, x, area, softening

    @decorators.to_vector_yx
    def deflections_yx_2d_from(self, grid, xp=np, **kwargs):
        """Deflections, arcsec, [points, (y, x)]."""
        points = grid.array if hasattr(grid, "array") else grid
        dy, dx = points[:, 0] - self.y, points[:, 1] - self.x
        pull = self.area / (dy * dy + dx * dx + self.softening**2)
        return xp.stack((pull * dy, pull * dx), axis=-1)


class LensFamily:
    """The smooth lenses of a simulation, without and with one additional mass, as models of PyAutoFit.

    Raises:
        ValueError: the simulation is more complex than the models (see `simulation.complexities`).
    """

    def __init__(self, simulation: Simulation, mass: MassPrior, seed: int):
        if beyond := complexities(simulation):
            raise ValueError(f"the simulation has {', '.join(beyond)}, which the fitted lens models lack")
        self.simulation, self.mass = simulation, mass
        indices = np.arange(N_PRIOR_LENSES)
        scenes = scene.draw_scenes(simulation.only(SMOOTH), seed, "follow", "drawn", SMOOTH, indices)
        self.tracers = [tracer(scenes, k, SMOOTH) for k in range(N_PRIOR_LENSES)]
        self.redshifts = [float(np.mean(scenes.lens[f"{which}_redshift"])) for which in ("lens", "source")]

    def _normal(self, plane: int, part: str, name: str, component: int | None = None, positive: bool = False):
        """The prior of an attribute of a part of a galaxy, or of one component of an attribute with two."""
        attributes = (getattr(getattr(t.galaxies[plane], part), name) for t in self.tracers)
        values = np.array([value if component is None else value[component] for value in attributes])
        mean = float(values.mean())
        width = PRIOR_WIDTH_FACTOR * max(float(values.std()), MIN_SCATTER * (abs(mean) if positive else 1.0))
        if not positive:
            return af.GaussianPrior(mean, width)
        return af.TruncatedGaussianPrior(mean, width, lower_limit=0.0, upper_limit=mean + TRUNCATION_SIGMA * width)

    def _normal_pair(self, plane: int, part: str, name: str) -> tuple:
        return tuple(self._normal(plane, part, name, k) for k in range(2))

    def model(self, with_mass: bool) -> af.Collection:
        """The smooth lens, or the same lens with a point mass."""
        halo, main = af.Model(al.mp.Isothermal), af.Model(al.lp.Sersic)
        halo.einstein_radius = self._normal(0, "halo", "einstein_radius", positive=True)
        elliptical = self.simulation.lens.ellipticity is not None
        _set(halo, "centre", (0.0, 0.0))
        _set(halo, "ell_comps", self._normal_pair(0, "halo", "ell_comps") if elliptical else (0.0, 0.0))
        shear = af.Model(al.mp.ExternalShear)
        shear.gamma_1, shear.gamma_2 = (self._normal(0, "shear", name) for name in ("gamma_1", "gamma_2"))
        for name in ("centre", "ell_comps"):
            _set(main, name, self._normal_pair(1, "main", name))
        main.intensity = self._normal(1, "main", "intensity", positive=True)
        main.effective_radius = self._normal(1, "main", "effective_radius", positive=True)
        index = self.simulation.source.sersic_index
        fixed = float(index.quantile(np.array(0.5))) if index.kind == "fixed" else None
        main.sersic_index = fixed or self._normal(1, "main", "sersic_index", positive=True)
        parts = {"halo": halo, "shear": shear}
        if with_mass:
            parts["mass"] = af.Model(
                SoftenedPointMass,
                y=af.UniformPrior(-self.mass.half_width_arcsec, self.mass.half_width_arcsec),
                x=af.UniformPrior(-self.mass.half_width_arcsec, self.mass.half_width_arcsec),
                area=af.TruncatedGaussianPrior(
                    0.0,
                    self.mass.heaviest_arcsec2,
                    lower_limit=0.0,
                    upper_limit=TRUNCATION_SIGMA * self.mass.heaviest_arcsec2,
                ),
                softening=self.mass.softening_arcsec,
            )
        lens = af.Model(al.Galaxy, redshift=self.redshifts[0], **parts)
        source = af.Model(al.Galaxy, redshift=self.redshifts[1], main=main)
        return af.Collection(galaxies=af.Collection(lens=lens, source=source))


def _set(part: af.Model, name: str, values: tuple) -> None:
    """Set both components of an attribute to numbers or priors."""
    for k, value in enumerate(values):
        setattr(getattr(part, name), f"{name}_{k}", value)


@dataclass(frozen=True)
class ModelFit:
    """A model, its likelihood for an image, and the posterior."""

    model: af.Collection
    analysis: al.AnalysisImaging
    posterior: Posterior

    @cached_property
    def image(self) -> np.ndarray:
        """The image of the lens with the largest likelihood, [pixels, pixels], flux / arcsec^2."""
        instance = self.model.instance_from_vector(list(map(float, self.posterior.best)))
        return np.asarray(self.analysis.fit_from(instance).model_data.native.array, np.float64)

    def index(self, part: str, name: str) -> int:
        """The index of a parameter of a part of the lens among all parameters."""
        return [path[-2:] for path in self.model.paths].index((part, name))

    def quantiles(self, part: str, name: str) -> np.ndarray:
        """The 16, 50 and 84 % quantiles of a parameter."""
        return self.posterior.quantiles(self.index(part, name))


def analysis(observed: ObservedImage) -> al.AnalysisImaging:
    """PyAutoLens's likelihood of an image."""
    image, sigma, psf = (
        al.Array2D.no_mask(np.asarray(part, np.float64), pixel_scales=observed.pixel_scale_arcsec)
        for part in (observed.image, observed.sigma, observed.psf)
    )
    dataset = al.Imaging(image, noise_map=sigma, psf=al.Convolver(psf), over_sample_size_lp=RAYS)
    return al.AnalysisImaging(dataset=dataset, use_jax=True)


def fit_model(observed: ObservedImage, family: LensFamily, *, with_mass: bool, live: int, seed: int) -> ModelFit:
    """Evidence and posterior of one of the two models for an image; `live` is the number of live points."""
    model, likelihood = family.model(with_mass), analysis(observed)

    def one(point: jax.Array) -> jax.Array:
        instance = model.instance_from_vector(point, ignore_assertions=True, xp=jnp)
        return jnp.nan_to_num(
            likelihood.log_likelihood_function(instance), nan=MIN_LOG_LIKELIHOOD, neginf=MIN_LOG_LIKELIHOOD
        )

    over_points = jax.jit(lambda points: jax.lax.map(one, points, batch_size=BATCH_SIZE))

    def log_likelihood(points: np.ndarray) -> np.ndarray:
        return np.asarray(over_points(points.astype(np.float32)), np.float64)

    prior = af.PriorVectorized(model)
    posterior = nested_sampling(log_likelihood, prior, model.prior_count, live=live, seed=seed)
    return ModelFit(model, likelihood, posterior)
