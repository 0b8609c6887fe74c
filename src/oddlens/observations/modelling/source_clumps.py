"""Clumps of a source: nodes at which it is less smooth than elsewhere.

Galaxies have clumps, and a prior with one strength of the curvature everywhere leaves residuals at them that masses can
explain too. A clump is an additional brightness of one node, with a variance of its own. It is tested as any column t
that the model lacks (Tipping & Faul 2003, AISTATS 9): with

    Q = t . P r,    S = t . P t

for the residual r and the projection P on what the model cannot absorb, the variance with most evidence is
(Q^2 - S) / S^2, and it changes the evidence by

    2 ln(evidence with t / without) = Q^2 / S - 1 - ln(Q^2 / S)

The clump with most evidence is added until none has much. A clump is seen in each image of its place and the effect of
a mass in one, so a mass is still seen beside clumps.
"""

import math
from typing import NamedTuple

from torch import Tensor

MAX_CLUMPS = 12
MIN_RELATIVE_POWER = 1e-4
"""The smallest S of a clump, relative to the largest of all: the smooth source absorbs such a node completely."""


class Clump(NamedTuple):
    """A clump: its node in the grid of the source, and the variance of its brightness."""

    node: int
    variance: float


def find_clumps(overlap: Tensor, power: Tensor) -> tuple[Clump, ...]:
    """The clumps that have more evidence than the best of all nodes has by chance.

    Args:
        overlap: Q of each node, [nodes].
        power: t . P t' of all pairs of nodes, [nodes, nodes].
    """
    found: list[Clump] = []
    smallest = MIN_RELATIVE_POWER * float(power.diagonal().max())
    while len(found) < MAX_CLUMPS:
        own = power.diagonal()
        square = overlap.square() / own.clamp(min=smallest)
        square[own < smallest] = 0.0
        node = int(square.argmax())
        largest = float(square[node])
        if largest <= 1 or largest - 1 - math.log(largest) < 2 * math.log(len(square)):
            break
        found.append(Clump(node, (largest - 1) / float(own[node])))
        # What the clump takes from all others.
        variance, row, own_overlap = found[-1].variance, power[node].clone(), overlap[node].clone()
        weight = variance / (1 + variance * row[node])
        overlap, power = overlap - weight * own_overlap * row, power - weight * row[:, None] * row
    return tuple(found)
