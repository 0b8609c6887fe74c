"""One-dimensional priors as YAML writes them: a number, or one distribution with its parameters.

    redshift: 0.5                                     # a fixed value
    magnitude: {uniform: [0, 0.3]}                    # low, high
    x_arcsec: {normal: [0, 0.5]}                      # mean, standard deviation
    axis_ratio: {truncnorm: [0.8, 0.1, 0.5, 1]}       # mean and standard deviation before truncation, low, high
    number: {poisson: [25]}                           # mean
    number: {integers: [1, 5]}                        # first, last; all equally likely
    mass_msun: {powerlaw: [-0.9, 1.0e6, 1.0e10]}      # exponent of dN/dm, low, high
    mass_ev: {loguniform: [1.0e-24, 1.0e-22]}         # low, high

A prior is used through its quantile function only: one uniform number gives one value. A parameter therefore keeps its
random number when the prior of another parameter changes, and whole data sets are sampled as arrays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, core_schema
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
    """Quantiles of Poisson numbers at the probabilities `u`; `u` and `mean` may be arrays."""
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
PARAMETERS = {kind: names for kind, (names, _) in _KINDS.items()}
"""The kinds of priors with the names of their parameters, in the order in which they are written."""


class Distribution(Section):
    """A prior: its kind, and the parameters of this kind in the order of `PARAMETERS`."""

    kind: str
    parameters: tuple[float, ...]

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Values at the probabilities `u` (any shape, in (0, 1)); same shape, float64."""
        return _KINDS[self.kind][1](np.asarray(u, dtype=np.float64), *self.parameters)

    def support(self) -> tuple[float, float]:
        """The smallest and the largest possible value."""
        low, high = self.quantile(np.array([0.0, 1.0]))
        return float(low), float(high)

    def mean(self) -> float:
        """The expectation.

        It is the integral of the quantile function over u, computed in logit(u), which resolves both tails.
        """
        t = np.linspace(-34, 34, 8001)
        u = special.expit(t)
        return float(np.trapezoid(self.quantile(u) * u * (1 - u), t))


def _number(value: Any) -> Any:
    """Text as a number if it is one, everything else unchanged.

    YAML 1.1 reads `1e12` and `1.0e6` (no sign in the exponent) as text.
    """
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _parse(value: Any) -> Distribution:
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
    names = PARAMETERS[kind]
    if not isinstance(given, (list, tuple)) or len(given) != len(names):
        raise ValueError(f"{kind} takes [{', '.join(names)}], got {given!r}")
    parameters = [_number(p) for p in given]
    if not all(isinstance(p, (int, float)) and not isinstance(p, bool) and np.isfinite(p) for p in parameters):
        raise ValueError(f"{kind} takes finite numbers [{', '.join(names)}], got {given!r}")
    if requirement := _violated(kind, parameters):
        raise ValueError(f"{kind} {requirement}, got {given!r}")
    return Distribution(kind=kind, parameters=tuple(parameters))


def _violated(kind: str, parameters: Sequence[float]) -> str | None:
    """The first requirement on the parameters of a kind that is not met, in words; None if all are."""
    named = dict(zip(PARAMETERS[kind], parameters, strict=True))
    if "low" in named and not named["low"] < named["high"]:
        return "needs low < high"
    if kind in ("loguniform", "powerlaw") and named["low"] <= 0:
        return "needs low > 0"
    if named.get("sd", 1) <= 0:
        return "needs a positive sd"
    if kind == "truncnorm" and np.diff(_truncnorm(np.array([1e-3, 1 - 1e-3]), *parameters))[0] <= 0:
        return "has almost no probability between low and high"
    if kind == "integers" and not (named["first"] <= named["last"] and all(float(p).is_integer() for p in parameters)):
        return "takes whole numbers with first <= last"
    if kind == "poisson" and named["mean"] <= 0:
        return "needs a positive mean"
    return None


def _plain(prior: Distribution) -> float | dict[str, list[float]]:
    return prior.parameters[0] if prior.kind == "fixed" else {prior.kind: list(prior.parameters)}


_NEGLIGIBLE = 1e-6


def max_count(number: Distribution) -> int:
    """The number of slots that a sampled number needs; it is exceeded with a probability of one in a million."""
    return int(np.ceil(number.quantile(np.array(1 - _NEGLIGIBLE))))


PRIOR = "prior"
"""The key that marks a prior in the JSON schema of a section; see `oddlens.config.json_schema`."""
Prior = Annotated[
    Distribution,
    BeforeValidator(_parse),
    PlainSerializer(_plain),
    WithJsonSchema({"type": "number", PRIOR: True}),
]
"""A field of a `Section` that holds a prior. `Section.plain` returns its YAML form."""


@dataclass(frozen=True)
class Bounds:
    """The range that all values of a prior must lie in."""

    low: float
    high: float

    def check(self, prior: Distribution) -> Distribution:
        """The prior itself.

        Raises:
            ValueError: if it can give a value outside the range.
        """
        smallest, largest = prior.support()
        if smallest < self.low or largest > self.high:
            raise ValueError(
                f"{_plain(prior)!r} gives values in [{smallest:g}, {largest:g}]; "
                f"allowed is [{self.low:g}, {self.high:g}]"
            )
        return prior

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        limits = {"minimum": self.low, "maximum": self.high}
        return handler(schema) | {name: limit for name, limit in limits.items() if np.isfinite(limit)}


def within(low: float, high: float = np.inf) -> Bounds:
    """The range of a prior: `Annotated[Prior, within(0, 1)]`."""
    return Bounds(low, high)
