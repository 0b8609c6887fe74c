"""One-dimensional priors as YAML writes them: a number, or one distribution with its parameters.

    redshift: 0.5                                     # fixed
    magnitude: {uniform: [0, 0.3]}                    # low, high
    x_arcsec: {normal: [0, 0.5]}                      # mean, standard deviation
    number: {poisson: [25]}                           # mean
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

from oddlens.section import Section


def _powerlaw(u: np.ndarray, exponent: float, low: float, high: float) -> np.ndarray:
    k = exponent + 1.0
    if abs(k) < 1e-12:
        return low * (high / low) ** u
    return ((1 - u) * low**k + u * high**k) ** (1.0 / k)


def _poisson(u: np.ndarray, mean: float) -> np.ndarray:
    # pdtrik inverts the continuous extension of the distribution function; it has no value at u = 1.
    return np.where(u < 1, np.ceil(special.pdtrik(np.minimum(u, 1 - 1e-16), mean) - 1e-9), np.inf)


# kind: (names of its parameters, quantile function)
_KINDS: dict[str, tuple[tuple[str, ...], Callable[..., np.ndarray]]] = {
    "fixed": (("value",), lambda u, value: np.full_like(u, value)),
    "uniform": (("low", "high"), lambda u, low, high: low + u * (high - low)),
    "normal": (("mean", "sd"), lambda u, mean, sd: mean + sd * special.ndtri(u)),
    "loguniform": (("low", "high"), lambda u, low, high: low * (high / low) ** u),
    "powerlaw": (("exponent", "low", "high"), _powerlaw),
    "poisson": (("mean",), _poisson),
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
    if named.get("sd", 1) <= 0 or (kind == "poisson" and named["mean"] <= 0):
        raise ValueError(f"{kind} needs a positive {names[-1]}, got {given!r}")
    return Distribution(kind=kind, parameters=tuple(parameters))


def _plain(prior: Distribution) -> float | dict[str, list[float]]:
    return prior.parameters[0] if prior.kind == "fixed" else {prior.kind: list(prior.parameters)}


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
