"""Levenberg-Marquardt for many small problems at once: the parameters whose image fits each observed image best.

The objective is the deviance of an image (`noise_model.py`) plus minus twice the log prior. Fisher scoring approximates
half its Hessian by J^T J, in units of the noise. Marquardt's damping, one number for each lens, ensures that every
accepted step decreases the objective.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from oddlens.detectors.blocks.heavy_tails import HeavyTails
from oddlens.detectors.blocks.lagged_columns import LaggedColumns
from oddlens.detectors.blocks.linearised_model import LinearisedModel, NormalPrior, linearise, solve
from oddlens.detectors.blocks.noise_model import NoiseModel
from oddlens.lensing.model import ModelImage

INITIAL_DAMPING, HEAVY_TAILED_DAMPING, MIN_DAMPING, MAX_DAMPING = 1e-2, 1e-4, 1e-6, 1e4
"""Damping of the first step, and of the first one with heavy tails. A fit whose damping exceeds the maximum is stuck:
no step decreases its objective."""
MAX_MOVE, EXACT_FROM_STEP = 0.1, 20
"""Columns of source pixels are computed anew where rays have moved by more than the first on their grid, in units of
their spacing; after a rejected step, and from the second on, after every step: a fit that has difficulties gets exact
derivatives."""
LITTLE_DAMPING = 1e-5
"""Damping up to which a damped step promises what the undamped one does."""
DAMPING_DECREASE, DAMPING_INCREASE = 0.2, 5.0
"""Factors on the damping after an accepted and after a rejected step."""
CONVERGED_GAIN, HEAVY_TAILED_GAIN, STALLED_GAIN = 0.1, 1.0, 10.0
"""A fit ends as soon as an undamped step promises to decrease the objective by less than the first: a third of a
standard deviation of one parameter. Under a heavy-tailed prior of hundreds of amplitudes it is the second, which saves
four steps in ten and changes no AUC. A fit that is stuck, because the finite number of rays makes the deviance rough,
or has no more steps, has converged if the last step promised less than the third, about one per cent of the deviance:
valleys of flexible sources are long, and the scan takes this last step. All are in units of the deviance per pixel
where that exceeds 1, as no lens fits such an image better."""
HEAVY_TAILS_BEGIN_GAIN, ROUGH_GAIN = 30.0, 3.0
"""The prior becomes heavy-tailed as soon as a step promises less than the first. From then on a fit also ends if a step
that promised less than the second was rejected: its objective is rough, and it would go to and fro until the last step.
Together with the lower damping this saves one step in ten, and changes no AUC."""


class Fit(NamedTuple):
    """The optima of n lenses.

    Attributes:
        parameters: [n, p].
        objective: deviance and penalty, [n].
        converged: whether further steps would decrease the objective by next to nothing, [n].
        steps: number of steps tried, [n].
        precision: of the prior of each fit, [n, p].
    """

    parameters: Tensor
    objective: Tensor
    converged: Tensor
    steps: Tensor
    precision: Tensor

    def of(self, lenses: slice | Tensor) -> "Fit":
        """The fits of some of the lenses."""
        return Fit(*(each[lenses] for each in self))

    @staticmethod
    def concatenate(fits: Sequence["Fit"]) -> "Fit":
        """The fits of several batches."""
        return Fit(*map(torch.cat, zip(*fits, strict=True)))

    def with_lenses(self, lenses: Tensor, fits: "Fit") -> "Fit":
        """These fits, with others of some of the lenses."""
        return Fit(*(own.index_put((lenses,), other) for own, other in zip(self, fits, strict=True)))

    def or_better(self, other: "Fit") -> "Fit":
        """The better fit of each lens: one that converged if the other did not, else that with the lower objective."""
        mine, yours = (torch.where(f.converged, f.objective, torch.inf) for f in (self, other))
        take = (yours < mine) | (~self.converged & ~other.converged & (other.objective < self.objective))
        return Fit(*(_where(take, b, a) for a, b in zip(self, other, strict=True)))


def fit(
    model: Callable[[Tensor], ModelImage],
    data: Tensor,
    noise: NoiseModel,
    prior: NormalPrior,
    initial: Tensor,
    steps: int,
    *,
    slots: int | None = None,
    tails: HeavyTails | None = None,
    lagged: LaggedColumns | None = None,
) -> Fit:
    """Fit images [n, pixels^2], starting from initial parameters [n, p].

    The lenses of a batch are fitted at once. As soon as one has converged, the next one takes its place. The last bits
    of a product of matrices depend on its size, so a batch always has the same size, and a result does not depend on
    the lenses beside it.

    Args:
        steps: the largest number of steps of a lens.
        slots: lenses in a batch; all by default.
        tails: makes the prior of some parameters heavy-tailed, once a fit with a normal prior is near its optimum.
        lagged: the columns of the Jacobian that are not computed in each step; `model` returns the others.
    """
    count = len(data)
    slots = min(slots or count, count)
    lens, waiting = torch.arange(slots, device=data.device), slots  # the lens in each slot, and the next one
    columns = initial.shape[1] - (len(range(initial.shape[1])[lagged.amplitudes]) if lagged else 0)
    batch = _Batch.start(initial[:slots], prior, (columns, data.shape[1]), heavy=tails is None)
    optima = Fit(*(each.new_empty(count, *each.shape[1:]) for each in batch.result(prior)))
    occupied = torch.ones(slots, dtype=torch.bool, device=data.device)
    while occupied.any():
        batch = batch.next(model, data[lens], noise.of(lens), prior, steps, tails, lagged)
        for slot in (batch.done & occupied).nonzero()[:, 0].tolist():
            for optimum, result in zip(optima, batch.result(prior), strict=True):
                optimum[lens[slot]] = result[slot]
            if waiting < count:
                lens[slot] = waiting
                new = _Batch.start(initial[waiting : waiting + 1], prior, (columns, data.shape[1]), heavy=tails is None)
                for state, begun in zip(batch, new, strict=True):
                    state[slot] = begun[0]
                waiting += 1
            else:
                occupied[slot] = False
    return optima


class _Batch(NamedTuple):
    """The state of the fits of n lenses.

    Attributes:
        trial: the parameters that are tried next, [n, p].
        parameters: those with the lowest objective so far, [n, p]; `deviance`, `image` and `jacobian` belong to them.
            The deviance is infinite before the first trial.
        precision: of the prior, [n, p].
        damping, tried, done, converged: [n].
        heavy: whether the prior is heavy-tailed already, [n].
    """

    trial: Tensor
    parameters: Tensor
    deviance: Tensor
    image: Tensor
    jacobian: Tensor
    precision: Tensor
    damping: Tensor
    tried: Tensor
    done: Tensor
    converged: Tensor
    heavy: Tensor

    @staticmethod
    def start(initial: Tensor, prior: NormalPrior, shape: tuple[int, int], heavy: bool) -> "_Batch":
        """Fits that begin. The shape is that of a Jacobian, [columns, pixels^2]."""
        n, p = initial.shape
        return _Batch(
            trial=initial.clone(),
            parameters=initial.clone(),
            deviance=initial.new_full((n,), torch.inf),
            image=initial.new_zeros(n, shape[1]),
            jacobian=initial.new_zeros(n, *shape),
            precision=prior.precision.expand(n, p).clone(),
            damping=initial.new_full((n,), INITIAL_DAMPING),
            tried=torch.zeros(n, dtype=torch.long, device=initial.device),
            heavy=torch.full((n,), heavy, device=initial.device),
            done=torch.full((n,), False, device=initial.device),
            converged=torch.full((n,), False, device=initial.device),
        )

    def result(self, prior: NormalPrior) -> Fit:
        """The fits as they are."""
        objective = self.deviance + self._prior(prior).penalty(self.parameters)
        return Fit(self.parameters, objective, self.converged, self.tried, self.precision)

    def next(
        self,
        model: Callable[[Tensor], ModelImage],
        data: Tensor,
        noise: NoiseModel,
        prior: NormalPrior,
        steps: int,
        tails: HeavyTails | None,
        lagged: LaggedColumns | None,
    ) -> "_Batch":
        """The fits after the next trial, which is accepted if it decreases the objective."""
        at = self._accept(model, data, noise, prior)
        model_at = (data, at.image, at.jacobian, noise, at._prior(prior), at.parameters)
        rejected = at.damping > self.damping
        linearised = lagged.linearise(*model_at, at._max_move(rejected)) if lagged else linearise(*model_at)
        if tails is not None:
            precision = at._heavy_tailed(linearised, prior, tails)
            linearised = linearised.with_precision(at._prior(prior), precision, at.parameters)
            at = at._replace(precision=precision)
        step, promised = _step(linearised, at.damping, exact=lagged is None)
        promised = promised / (at.result(prior).objective / noise.count_observed(data)).clamp(min=1)
        last, stuck = at.tried >= steps, at.damping > MAX_DAMPING
        ready = promised < (CONVERGED_GAIN if tails is None else HEAVY_TAILED_GAIN)
        stalled = promised < STALLED_GAIN
        if tails is not None:  # ... or a step has been rejected where little is left to gain
            ready = ready | (rejected & (promised < ROUGH_GAIN))
        ended = ~at.done & (last | (at.heavy & (ready | stuck)))
        begins = ~at.heavy & ((promised < HEAVY_TAILS_BEGIN_GAIN) | stuck)
        done = at.done | ended
        return at._replace(
            trial=_where(done, at.parameters, at.parameters + step),
            damping=torch.where(begins, HEAVY_TAILED_DAMPING, at.damping),
            tried=at.tried + ~done,
            heavy=at.heavy | begins,
            done=done,
            converged=at.converged | (ended & at.heavy & (ready | stalled & (last | stuck))),
        )

    def _accept(
        self, model: Callable[[Tensor], ModelImage], data: Tensor, noise: NoiseModel, prior: NormalPrior
    ) -> "_Batch":
        """The trial where it is the first or better than the parameters so far, with the damping of the next step."""
        tried = model(self.trial)
        deviance = noise.deviance(data, tried.image).nan_to_num(nan=torch.inf)
        penalty, own = self._prior(prior).penalty, self.result(prior).objective
        first = self.tried == 0
        better = ~self.done & (first | (deviance + penalty(self.trial) < own))  # never for NaN
        factor = torch.where(better, DAMPING_DECREASE, DAMPING_INCREASE)
        damping = (self.damping * factor).clamp(min=MIN_DAMPING)
        return self._replace(
            parameters=_where(better, self.trial, self.parameters),
            deviance=torch.where(better, deviance, self.deviance),
            image=_where(better, tried.image, self.image),
            jacobian=_where(better, tried.jacobian, self.jacobian),
            damping=torch.where(first | self.done, self.damping, damping),
        )

    def _max_move(self, rejected: Tensor) -> Tensor:
        """The movement of rays up to which columns of the last step are good enough for the next one, [n]."""
        exact = rejected | (self.tried >= EXACT_FROM_STEP)
        return torch.where(self.tried == 0, -1.0, torch.where(exact, 0.0, MAX_MOVE))

    def _heavy_tailed(self, linearised: LinearisedModel, prior: NormalPrior, tails: HeavyTails) -> Tensor:
        """The precision of the prior [n, p], updated for the lenses whose prior is heavy-tailed and which go on."""
        precision, own = self.precision.clone(), self._prior(prior)
        lenses = (self.heavy & ~self.done).nonzero()[:, 0]
        for part in lenses.split(1 if lenses.device.type == "cpu" else max(len(lenses), 1)):
            of_part = own._replace(precision=own.precision[part])
            precision[part] = tails.precision(linearised.of(part), of_part, self.parameters[part])
        return precision

    def _prior(self, prior: NormalPrior) -> NormalPrior:
        return prior._replace(precision=self.precision)


def _step(linearised: LinearisedModel, damping: Tensor, exact: bool) -> tuple[Tensor, Tensor]:
    """A damped step [n, p], and the decrease of the objective that the undamped step promises, [n].

    Where the damping is little, and if this need not be `exact`, the damped step stands for the undamped one.
    """
    hessian, gradient = linearised.hessian, linearised.gradient
    diagonal = hessian.diagonal(dim1=1, dim2=2)
    scale = diagonal.clamp(min=1e-12)
    damped = solve(_with_diagonal(hessian, diagonal + damping[:, None].double() * scale), gradient)
    full, on_cpu = damped.clone(), hessian.device.type == "cpu"
    again = (damping > (0 if exact or not on_cpu else LITTLE_DAMPING)).nonzero()[:, 0]
    undamped = _with_diagonal(hessian[again], (diagonal + MIN_DAMPING * scale)[again])
    full[again] = solve(undamped, gradient[again])
    promised = (gradient * full).sum(dim=1)
    kind = linearised.jacobian.dtype
    return damped.to(kind), promised.to(kind)


def _with_diagonal(matrices: Tensor, diagonal: Tensor) -> Tensor:
    """Copies of matrices [n, p, p] with another diagonal [n, p]."""
    changed = matrices.clone()
    changed.diagonal(dim1=1, dim2=2).copy_(diagonal)
    return changed


def _where(condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Elements of `yes` for the lenses that fulfil a condition [n], of `no` for the others."""
    return torch.where(condition.view(-1, *[1] * (no.dim() - 1)), yes, no)
