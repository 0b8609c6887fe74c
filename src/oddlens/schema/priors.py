"""One-dimensional priors as YAML writes them: a number, or one distribution with its parameters.

    redshift: 0.5                                     # fixed
    magnitude: {uniform: [0, 0.3]}                    # low, high
    x_arcsec: {normal: [0, 0.5]}                      # mean, standard deviation
    axis_ratio: {truncnorm: [0.8, 0.1, 0.5, 1]}       # mean and standard deviation before truncation, low, high
    number: {poisson: [25]}                           # mean
    number: {integers: [1, 5]}                        # first, last; all equally likely
    mass_msun: {powerlaw: [-0.9, 1.0e6, 1.0e10]}      # exponent of dN/dm, low, high
    mass_ev: {loguniform: [1.0e-24, 1.0e-22]}         # low, high

A prior is used through its quantile function alone. One uniform number in, one value out: a parameter keeps its
random number when the prior of another one changes, and whole data sets are drawn as arrays.
"""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BeforeValidator, PlainSerializer
from scipy import special

from oddlens.schema.section import Section


def _truncnorm(u: np.ndarray, mean: float, sd: float, low: float, high: float) -> np.ndarray:
    below, above = (special.ndtr((bound - mean) / sd) for bound in (low, high))
    return np.clip(mean + sd * special.ndtri(below + u * (above - below)), low, high)


def _powerlaw(u: np.ndarray, exponent: float, low: float, high: float) -> np.ndarray:
    k = exponent + 1.0
    if abs(k) < 1e-12:
        return low * (high / low) ** u
    return ((1 - u) * low**k + u * high**k) ** (1.0 / k)


def poisson(u, mean) -> np.ndarray:
    """Quantiles of Poisson numbers; u and the mean may be arrays."""
    # pdtrik inverts the continuous extension of the distribution function; it has no value at u = 1.
    return np.where(u < 1, np.ceil(special.pdtrik(np.minimum(u, 1 - 1e-16), mean) - 1e-9), np.inf)


# kind: (names of its parameters, quantile function)
_KINDS: dict[str, tuple[tuple[str, ...], Callable[..., np.ndarray]]] = {
    "fixed": (("value",), lambda u, value: np.full_like(u, value)),
    "uniform": (("low", "high"), lambda u, low, high: low + u * (high - low)),
    "normal": (("mean", "sd"), lambda u, mean, sd: mean + sd * special.ndtri(u)),
    "truncnorm": (("mean", "sd", "low", "high"), _truncnorm),
    "loguniform": (("low", "high"), lambda u, low, high: low * (high / low) ** u),
    "powerlaw": (("exponent", "low", "high"), _powerlaw),
    "poisson": (("mean",), poisson),
    "integers": (("first", "last"), lambda u, first, last: np.minimum(first + np.floor(u * (last - first + 1)), last)),
}


class Distribution(Section):
    """One prior: its kind and the parameters of that kind, in the order of the table above."""

    kind: str
    parameters: tuple[float, ...]

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Values at the probabilities `u` (any shape, in (0, 1)); same shape, float64."""
        return _KINDS[self.kind][1](np.asarray(u, dtype=np.float64), *self.parameters)

    def support(self) -> tuple[float, float]:
        """Smallest and largest value that it can give."""
        low, high = self.quantile(np.array([0.0, 1.0]))
        return float(low), float(high)

    def mean(self) -> float:
        """Its expectation: the integral of the quantile function, taken in logit(u), where both tails have room."""
        t = np.linspace(-34, 34, 8001)
        u = special.expit(t)
        return float(np.trapezoid(self.quantile(u) * u * (1 - u), t))


def _number(value: Any) -> Any:
    """Numbers as they are; YAML reads `1e12` and `1.0e6` (no sign in the exponent) as text, so that is turned."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _parse(value: Any) -> Any:
    if isinstance(value, Distribution):
        return value
    value = _number(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, dict)):
        raise ValueError(f"{value!r} is no prior: write a number or one of {{{', '.join(_KINDS)}: [...]}}")
    if not isinstance(value, dict):
        value = {"fixed": [value]}
    if len(value) != 1 or next(iter(value)) not in _KINDS:
        raise ValueError(f"{value!r} is no prior: write a number or exactly one of {', '.join(_KINDS)}")
    ((kind, given),) = value.items()
    names = _KINDS[kind][0]
    if not isinstance(given, (list, tuple)) or len(given) != len(names):
        raise ValueError(f"{kind} takes [{', '.join(names)}], got {given!r}")
    parameters = [_number(p) for p in given]
    if not all(isinstance(p, (int, float)) and not isinstance(p, bool) and np.isfinite(p) for p in parameters):
        raise ValueError(f"{kind} takes finite numbers [{', '.join(names)}], got {given!r}")
    named = dict(zip(names, parameters, strict=True))
    if "low" in named and not named["low"] < named["high"]:
        raise ValueError(f"{kind} needs low < high, got {given!r}")
    if kind in ("loguniform", "powerlaw") and named["low"] <= 0:
        raise ValueError(f"{kind} needs low > 0, got {given!r}")
    if named.get("sd", 1) <= 0:
        raise ValueError(f"{kind} needs a positive sd, got {given!r}")
    if kind == "truncnorm" and np.diff(_truncnorm(np.array([1e-3, 1 - 1e-3]), *parameters))[0] <= 0:
        raise ValueError(f"truncnorm has next to no chance between low and high, got {given!r}")
    if kind == "integers" and not (named["first"] <= named["last"] and all(float(p).is_integer() for p in parameters)):
        raise ValueError(f"integers takes whole numbers with first <= last, got {given!r}")
    if kind == "poisson" and named["mean"] <= 0:
        raise ValueError(f"poisson needs a positive mean, got {given!r}")
    return Distribution(kind=kind, parameters=tuple(parameters))


def _plain(prior: Distribution) -> float | dict[str, list[float]]:
    return prior.parameters[0] if prior.kind == "fixed" else {prior.kind: list(prior.parameters)}


_NEGLIGIBLE = 1e-6


def most(number: Distribution) -> int:
    """How many slots a drawn number needs, but for a chance of one in a million."""
    return int(np.ceil(number.quantile(np.array(1 - _NEGLIGIBLE))))


Prior = Annotated[Distribution, BeforeValidator(_parse), PlainSerializer(_plain)]
"""A field of a `Section` that holds a prior; serialises back to its YAML form."""


def within(low: float, high: float = np.inf) -> AfterValidator:
    """The bounds that all values of a prior must keep: `Annotated[Prior, within(0, 1)]`."""

    def check(prior: Distribution) -> Distribution:
        smallest, largest = prior.support()
        if smallest < low or largest > high:
            raise ValueError(
                f"{_plain(prior)!r} gives values in [{smallest:g}, {largest:g}]; allowed is [{low:g}, {high:g}]"
            )
        return prior

    return AfterValidator(check)
