"""Re-fitting the chance to reach a rank to what came of opportunities: logistic regression that starts at the prior.

The coefficients have a normal prior around those of ``common.aso.gain``; the most likely ones given the outcomes are
found by Newton's method, which for this concave function and with step halving always arrives at the same place. Few
outcomes move the coefficients a little and many move them to the data, so nothing has to be switched over; still,
fewer than ``LEAST_OUTCOMES`` keep the prior, whose intervals are honest about it.

Neither difficulty nor distance may come out as a help: a coefficient below zero is set to zero and the rest fitted
again. The covariance is the inverse of the curvature at the maximum (Laplace's approximation).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from common.aso import gain
from common.aso.gain import REACH_PRIOR, ReachCoefficients
from common.aso.gain_model.model import REACH_PRIOR_COVARIANCE, REACH_PRIOR_SPREAD, Covariance

LEAST_OUTCOMES = 20
MOST_STEPS = 100
PRECISE = 1e-10
PINNED = 1e-6
"""Standard deviation that holds a coefficient at zero."""

Vector = tuple[float, float, float]
FitReason = Literal["too_few_outcomes", "not_converged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempts:
    """Opportunities of one kind that were acted on and measured.

    Attributes:
        current: Rank before; ``model.UNRANKED`` where there was none.
        target: Rank aimed at.
        difficulty: 0..100, or None if unknown.
        number: How many.
        reached: How many of them reached the target.
    """

    current: float
    target: float
    difficulty: float | None
    number: int
    reached: int

    @property
    def terms(self) -> Vector:
        """What the coefficients are multiplied with."""
        distance = math.log(max(self.current, self.target) / self.target)
        return (1.0, -float(gain.difficulty_point(self.difficulty)), -distance)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReachFit:
    """The fitted chance to reach a rank.

    Attributes:
        coefficients: The most likely ones, or the prior's.
        covariance: Of them.
        attempts: Outcomes it rests on.
        reached: Of those, the successful ones.
        reason: Why it is the prior; None where it was fitted.
    """

    coefficients: ReachCoefficients
    covariance: Covariance
    attempts: int
    reached: int
    reason: FitReason | None


def fit(attempts: Iterable[Attempts]) -> ReachFit:
    """Fit the coefficients; the order of the attempts makes no difference."""
    found = sorted(
        (each for each in attempts if 0 <= each.reached <= each.number and each.number > 0),
        key=lambda each: (each.terms, each.number, each.reached),
    )
    number, reached = sum(each.number for each in found), sum(each.reached for each in found)
    reason: FitReason | None = "too_few_outcomes"
    if number >= LEAST_OUTCOMES:
        fitted = _never_helped(found)
        if fitted is not None:
            coefficients, covariance = fitted
            return ReachFit(
                coefficients=ReachCoefficients(*coefficients),
                covariance=covariance,
                attempts=number,
                reached=reached,
                reason=None,
            )
        reason = "not_converged"
    return ReachFit(
        coefficients=REACH_PRIOR, covariance=REACH_PRIOR_COVARIANCE, attempts=number, reached=reached, reason=reason
    )


def _never_helped(attempts: Sequence[Attempts]) -> tuple[Vector, Covariance] | None:
    """Fit, and again with what came out below zero held at zero."""
    centre, spread = list(REACH_PRIOR), list(REACH_PRIOR_SPREAD)
    for _ in range(len(centre)):
        fitted = _most_likely(attempts, _vector(centre), _vector(spread))
        wrong = [] if fitted is None else [index for index in (1, 2) if fitted[0][index] < 0 and spread[index] > PINNED]
        if not wrong:
            break
        for index in wrong:
            centre[index], spread[index] = 0.0, PINNED
    if fitted is None:
        return None
    intercept, difficulty, distance = fitted[0]
    return (intercept, max(0.0, difficulty), max(0.0, distance)), fitted[1]


def _most_likely(attempts: Sequence[Attempts], centre: Vector, spread: Vector) -> tuple[Vector, Covariance] | None:
    """Return the maximum of the posterior and the inverse of its curvature; None where Newton does not arrive."""
    here = centre
    height = _log_posterior(attempts, here, centre, spread)
    for _ in range(MOST_STEPS):
        slope, curvature = _derivatives(attempts, here, centre, spread)
        inverse = _inverse(curvature)
        if inverse is None:
            return None
        step = _vector([math.fsum(row[j] * slope[j] for j in range(3)) for row in inverse])
        scale = 1.0
        while True:
            there = _vector([here[i] + scale * step[i] for i in range(3)])
            higher = _log_posterior(attempts, there, centre, spread)
            if higher >= height - PRECISE or scale < PRECISE:
                break
            scale /= 2
        here, height = there, higher
        if max(abs(scale * step[i]) / spread[i] for i in range(3)) < PRECISE:
            return here, inverse
    return None


def _log_posterior(attempts: Sequence[Attempts], at: Vector, centre: Vector, spread: Vector) -> float:
    parts = [-0.5 * ((at[i] - centre[i]) / spread[i]) ** 2 for i in range(3)]
    for each in attempts:
        logit = _logit(each, at)
        # log(1 + exp(x)) without overflow
        above = max(logit, 0.0) + math.log1p(math.exp(-abs(logit)))
        parts.append(each.reached * logit - each.number * above)
    return math.fsum(parts)


def _derivatives(
    attempts: Sequence[Attempts], at: Vector, centre: Vector, spread: Vector
) -> tuple[Vector, list[list[float]]]:
    """Return the gradient and the negative second derivatives."""
    slope = [[(centre[i] - at[i]) / spread[i] ** 2] for i in range(3)]
    curvature = [[[1 / spread[i] ** 2 if i == j else 0.0] for j in range(3)] for i in range(3)]
    for each in attempts:
        terms, logit = each.terms, _logit(each, at)
        small = math.exp(-abs(logit))
        chance = (1.0 if logit >= 0 else small) / (1 + small)
        missed, weight = each.reached - each.number * chance, each.number * small / (1 + small) ** 2
        for i in range(3):
            slope[i].append(missed * terms[i])
            for j in range(3):
                curvature[i][j].append(weight * terms[i] * terms[j])
    return _vector([math.fsum(parts) for parts in slope]), [[math.fsum(cell) for cell in row] for row in curvature]


def _logit(attempts: Attempts, at: Vector) -> float:
    terms = attempts.terms
    return math.fsum(at[i] * terms[i] for i in range(3))


def _inverse(matrix: Sequence[Sequence[float]]) -> Covariance | None:
    """Return the inverse of a symmetric positive definite 3 x 3 matrix, scaled first: its entries differ in size."""
    scale = [1 / math.sqrt(matrix[i][i]) if matrix[i][i] > 0 else 0.0 for i in range(3)]
    (a, b, c), (_, d, e), (_, _, f) = [[matrix[i][j] * scale[i] * scale[j] for j in range(3)] for i in range(3)]
    minors = (
        (d * f - e * e, c * e - b * f, b * e - c * d),
        (c * e - b * f, a * f - c * c, b * c - a * e),
        (b * e - c * d, b * c - a * e, a * d - b * b),
    )
    determinant = a * minors[0][0] + b * minors[0][1] + c * minors[0][2]
    if not determinant > 0:
        return None
    rows = [_vector([minors[i][j] / determinant * scale[i] * scale[j] for j in range(3)]) for i in range(3)]
    return rows[0], rows[1], rows[2]


def _vector(values: Sequence[float]) -> Vector:
    first, second, third = values
    return first, second, third
