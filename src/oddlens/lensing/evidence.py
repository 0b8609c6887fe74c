"""How probable an image is if its lens is smooth, and if there is one mass besides: PyAutoLens's own model fit.

The likelihood is PyAutoLens's (`AnalysisImaging`, under JAX), model and priors are PyAutoFit's, and Nautilus (Lange
2023, MNRAS 525, 3181), which they recommend, integrates the one over the other. It is called here without PyAutoFit's
searches, which keep folders of output and pickles.

The smooth lens is that of the simulation, as an observer of many lenses would assume it: each parameter is normal about the
mean of lenses drawn from the simulation, and wider than these. The mass is one of the scan of `lensfit`
(`detectors/blocks/scan.py`): softened, anywhere on a square, its Einstein radius squared half a normal number. So the
difference of the log evidences is what that scan calls `odds` and finds by a linear approximation about one optimum;
here nothing is linear, and the smooth lens may be any.
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
from oddlens.lensing.simulation import Simulation, extras
from oddlens.lensing.substructure_classes import SMOOTH

DRAWN = 512
"""Lenses by which priors are set."""
WIDER, MOVED = 1.5, 0.1
"""Priors are so many times as wide as what was drawn; a parameter that the simulation fixes has the second for a width (of
sizes and brightness, the part), as dark matter may move it."""
RAYS = 4
"""Per pixel side. Chi-square of a model image errs by less than one with them."""
EFFECTIVE = 500
"""Posterior samples, of equal weight, that are asked for: the log evidence then errs by some 0.05."""
PATIENCE = 3
"""Of the sampler, over its default: to learn a shell takes a second, in which thousands of likelihoods are had."""
AT_ONCE = 4
"""Lenses that are drawn at once: on a CPU five times as fast as one after the other, and twice as fast as 100."""
NEVER = -1e30
"""The log likelihood of a lens that cannot be drawn."""
FARTHEST = 10.0
"""Priors of what is positive end at so many deviations."""


@dataclass(frozen=True)
class Observed:
    """An image, its noise [pixels, pixels] and its point-spread function, as an observer has them; flux / arcsec^2."""

    image: np.ndarray
    sigma: np.ndarray
    psf: np.ndarray
    pixel_scale_arcsec: float


@dataclass(frozen=True)
class Mass:
    """What is assumed of the one mass, arcsec: see `LensFit`."""

    half_width_arcsec: float = 2.4
    softening_arcsec: float = 0.1
    heaviest_arcsec2: float = 0.1


@dataclass(frozen=True)
class Posterior:
    """What a nested sampler found."""

    log_evidence: float
    error: float
    """Its standard deviation, by the effective number of samples."""
    calls: int
    """Of the likelihood."""
    points: np.ndarray
    """[n, parameters]"""
    weights: np.ndarray
    """Of the points, which sum to 1, [n]."""
    log_likelihoods: np.ndarray

    @property
    def best(self) -> np.ndarray:
        """The point of the largest likelihood."""
        return self.points[np.argmax(self.log_likelihoods)]

    def quantiles(self, k: int, at: tuple[float, ...] = (0.16, 0.5, 0.84)) -> np.ndarray:
        """Of parameter k."""
        order = np.argsort(self.points[:, k])
        return np.interp(at, np.cumsum(self.weights[order]), self.points[order, k])


def integrated(
    log_likelihood: Callable[[np.ndarray], np.ndarray],
    prior: Callable[[np.ndarray], np.ndarray],
    dimensions: int,
    *,
    live: int,
    seed: int,
) -> Posterior:
    """The evidence of a likelihood over a prior.

    Args:
        log_likelihood: of points [n, dimensions].
        prior: from points of the unit cube [n, dimensions] to such.
        live: points that the shells are built by: more cost more, and miss less.
    """
    sampler = Sampler(
        prior,
        log_likelihood,
        n_dim=dimensions,
        n_live=live,
        n_update=PATIENCE * live,
        n_like_new_bound=10 * PATIENCE * live,
        n_networks=1,
        vectorized=True,
        seed=seed,
    )
    # Without the points that the shells were built by: these would bias the evidence.
    sampler.run(n_eff=EFFECTIVE, discard_exploration=True)
    points, log_weights, log_likelihoods = sampler.posterior()
    return Posterior(
        log_evidence=float(sampler.log_z),
        error=float(sampler.n_eff**-0.5),
        calls=int(sampler.n_like),
        points=points,
        weights=np.exp(log_weights - np.logaddexp.reduce(log_weights)),
        log_likelihoods=log_likelihoods,
    )


class SoftMass(MassProfile):
    """The mass of the scan as a profile of PyAutoLens: it deflects by area d / (d^2 + softening^2)."""

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
    """The smooth lenses of a simulation, and the same with one mass, as models of PyAutoFit.

    Raises:
        ValueError: where the simulation has more than the models (see `simulation.extras`).
    """

    def __init__(self, simulation: Simulation, mass: Mass, seed: int):
        if beyond := extras(simulation):
            raise ValueError(f"the simulation has {', '.join(beyond)}, which these models have not")
        self.simulation, self.mass = simulation, mass
        scenes = scene.draw_scenes(simulation.only(SMOOTH), seed, "follow", "drawn", SMOOTH, np.arange(DRAWN))
        self.tracers = [tracer(scenes, k, SMOOTH) for k in range(DRAWN)]
        self.redshifts = [float(np.mean(scenes.lens[f"{which}_redshift"])) for which in ("lens", "source")]

    def _normal(self, plane: int, part: str, name: str, which: int | None = None, positive: bool = False):
        """The prior of an attribute of a part of a galaxy, which may have two components."""
        attributes = (getattr(getattr(t.galaxies[plane], part), name) for t in self.tracers)
        values = np.array([value if which is None else value[which] for value in attributes])
        mean = float(values.mean())
        width = WIDER * max(float(values.std()), MOVED * (abs(mean) if positive else 1.0))
        if not positive:
            return af.GaussianPrior(mean, width)
        return af.TruncatedGaussianPrior(mean, width, lower_limit=0.0, upper_limit=mean + FARTHEST * width)

    def _pair(self, plane: int, part: str, name: str) -> tuple:
        return tuple(self._normal(plane, part, name, k) for k in range(2))

    def model(self, with_mass: bool) -> af.Collection:
        """The smooth lens, or the same lens with a point mass."""
        halo, main = af.Model(al.mp.Isothermal), af.Model(al.lp.Sersic)
        halo.einstein_radius = self._normal(0, "halo", "einstein_radius", positive=True)
        elliptical = self.simulation.lens.ellipticity is not None
        _set(halo, "centre", (0.0, 0.0))
        _set(halo, "ell_comps", self._pair(0, "halo", "ell_comps") if elliptical else (0.0, 0.0))
        shear = af.Model(al.mp.ExternalShear)
        shear.gamma_1, shear.gamma_2 = (self._normal(0, "shear", name) for name in ("gamma_1", "gamma_2"))
        for name in ("centre", "ell_comps"):
            _set(main, name, self._pair(1, "main", name))
        main.intensity = self._normal(1, "main", "intensity", positive=True)
        main.effective_radius = self._normal(1, "main", "effective_radius", positive=True)
        index = self.simulation.source.sersic_index
        fixed = float(index.quantile(np.array(0.5))) if index.kind == "fixed" else None
        main.sersic_index = fixed or self._normal(1, "main", "sersic_index", positive=True)
        parts = {"halo": halo, "shear": shear}
        if with_mass:
            parts["mass"] = af.Model(
                SoftMass,
                y=af.UniformPrior(-self.mass.half_width_arcsec, self.mass.half_width_arcsec),
                x=af.UniformPrior(-self.mass.half_width_arcsec, self.mass.half_width_arcsec),
                area=af.TruncatedGaussianPrior(
                    0.0,
                    self.mass.heaviest_arcsec2,
                    lower_limit=0.0,
                    upper_limit=FARTHEST * self.mass.heaviest_arcsec2,
                ),
                softening=self.mass.softening_arcsec,
            )
        lens = af.Model(al.Galaxy, redshift=self.redshifts[0], **parts)
        source = af.Model(al.Galaxy, redshift=self.redshifts[1], main=main)
        return af.Collection(galaxies=af.Collection(lens=lens, source=source))


def _set(part: af.Model, name: str, values: tuple) -> None:
    """Both components of an attribute, numbers or priors."""
    for k, value in enumerate(values):
        setattr(getattr(part, name), f"{name}_{k}", value)


@dataclass(frozen=True)
class Fitted:
    """A model of an image, and what the sampler found."""

    model: af.Collection
    analysis: al.AnalysisImaging
    posterior: Posterior

    @cached_property
    def image(self) -> np.ndarray:
        """The image of the best lens, [pixels, pixels], flux / arcsec^2."""
        instance = self.model.instance_from_vector(list(map(float, self.posterior.best)))
        return np.asarray(self.analysis.fit_from(instance).model_data.native.array, np.float64)

    def place(self, part: str, name: str) -> int:
        """Of a parameter of a part of the lens among all."""
        return [path[-2:] for path in self.model.paths].index((part, name))

    def quantiles(self, part: str, name: str) -> np.ndarray:
        """16, 50 and 84 % of it."""
        return self.posterior.quantiles(self.place(part, name))


def analysis(observed: Observed) -> al.AnalysisImaging:
    """The likelihood of PyAutoLens of an image."""
    image, sigma, psf = (
        al.Array2D.no_mask(np.asarray(part, np.float64), pixel_scales=observed.pixel_scale_arcsec)
        for part in (observed.image, observed.sigma, observed.psf)
    )
    dataset = al.Imaging(image, noise_map=sigma, psf=al.Convolver(psf), over_sample_size_lp=RAYS)
    return al.AnalysisImaging(dataset=dataset, use_jax=True)


def fitted(observed: Observed, family: LensFamily, *, with_mass: bool, live: int, seed: int) -> Fitted:
    """The evidence and the posterior of a model of an image."""
    model, likelihood = family.model(with_mass), analysis(observed)

    def one(point: jax.Array) -> jax.Array:
        instance = model.instance_from_vector(point, ignore_assertions=True, xp=jnp)
        return jnp.nan_to_num(likelihood.log_likelihood_function(instance), nan=NEVER, neginf=NEVER)

    each = jax.jit(lambda points: jax.lax.map(one, points, batch_size=AT_ONCE))

    def log_likelihood(points: np.ndarray) -> np.ndarray:
        return np.asarray(each(points.astype(np.float32)), np.float64)

    prior = af.PriorVectorized(model)
    return Fitted(model, likelihood, integrated(log_likelihood, prior, model.prior_count, live=live, seed=seed))
