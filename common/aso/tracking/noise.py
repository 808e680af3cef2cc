"""A keyword's own noise: how much its rank moves by itself, and when a move is more than that.

The looks of one keyword on one device and in one locale are taken in order of their days.

* The *level* is an exponentially weighted mean of the ranks (weight ``WEIGHT`` for the newest).
* A look's *surprise* is its distance from the level before it. The noise is the median absolute surprise, brought to
  the scale of a standard deviation (1.4826 for a normal distribution), so that a few jumps of the past do not blow it
  up.
* The *band* is the level plus and minus the greatest of ``SPREADS`` times the noise, the greatest surprise but for
  ``OUTLIERS``, and a floor of two ranks or a quarter of the level: moves that small are nobody's business.
* A look outside the band raises an alert only where the look before it was outside on the same side: one look may be
  an experiment of the search engine, two are a move. Nothing is judged before ``MINIMUM`` ranks are known.
* After an alert the level begins anew at the rank it was raised at, and the noise keeps what was known of it.

*Lost* is a page that is not found as often in a row as never before, and at least twice, where the looks went deeper
than the band: a page at the edge of what is looked at comes and goes.

A failed check is no look: it says nothing and interrupts nothing. What this costs in false alarms is measured by a
test: with stationary noise (normal, heavy-tailed, with outliers) up to half the level wide, fewer than ``FALSE_ALARMS``
a keyword and year of daily looks.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

WEIGHT = 0.3
SPREADS = 3.5
NORMAL = 1.4826
OUTLIERS = 1
MINIMUM = 8
WINDOW = 60
"""Looks that are remembered."""
FLOOR_RANKS = 2.0
FLOOR_SHARE = 0.25
CONFIRMED = 2
"""Looks outside in a row that make a move."""
FALSE_ALARMS = 1.0

Direction = Literal["up", "down", "lost"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LookBack:
    """A look at a result page, as far as noise is concerned.

    Attributes:
        day: ``YYYY-MM-DD``.
        position: Rank; None where the page was not found.
        depth: How far down was looked, where it was not found.
        url: The page that ranked.
    """

    day: str
    position: float | None
    depth: int | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """Where a rank lies that is nothing new.

    Attributes:
        level: What is usual.
        low: Best rank of the band, 1 at least.
        high: Worst rank of the band.
    """

    level: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """A move out of the band.

    Attributes:
        direction: ``up`` is better.
        band: As it was before the move began.
        url: The page that ranked before.
    """

    direction: Direction
    band: Band
    url: str | None


@dataclass(slots=True)
class _State:
    """What is known after some looks."""

    level: float | None = None
    ranks: int = 0
    surprises: list[float] = field(default_factory=list)
    outside: list[float] = field(default_factory=list)
    missing: int = 0
    longest: int = 0
    url: str | None = None

    def band(self) -> Band | None:
        """Return the band; None before enough is known."""
        if self.level is None or self.ranks < MINIMUM:
            return None
        width = max(self._noise(), FLOOR_RANKS, FLOOR_SHARE * self.level)
        return Band(level=self.level, low=max(1.0, self.level - width), high=self.level + width)

    def _noise(self) -> float:
        if not self.surprises:
            return 0.0
        ordered = sorted(self.surprises)
        greatest = ordered[-1 - OUTLIERS] if len(ordered) > OUTLIERS else 0.0
        return max(SPREADS * NORMAL * statistics.median(ordered), greatest)

    def take(self, rank: float, url: str | None) -> None:
        """Take a rank as part of what is usual."""
        if self.level is None:
            self.level = rank
        else:
            self.surprises = [*self.surprises, abs(rank - self.level)][-WINDOW:]
            self.level += WEIGHT * (rank - self.level)
        self.ranks += 1
        self.url = url


def judge(looks: Sequence[LookBack], alerted: Collection[str] = ()) -> Move | None:
    """Tell whether the last look completes a move out of the band.

    Args:
        looks: One a day, oldest first.
        alerted: Days on which an alert was raised before; the level began anew there.
    """
    state = _State()
    move: Move | None = None
    for look in looks:
        move = _missed(state, look) if look.position is None else _ranked(state, look, look.position)
        if look.day in alerted and look.position is not None:
            _begin_anew(state, look.position, look.url)
    return move


def _missed(state: _State, look: LookBack) -> Move | None:
    """Take a look that did not find the page."""
    state.missing += 1
    state.outside = []
    band = state.band()
    wanted = max(CONFIRMED, state.longest + 1)
    if band is None or state.missing != wanted or (look.depth or 0) <= band.high:
        return None
    return Move(direction="lost", band=band, url=state.url)


def _ranked(state: _State, look: LookBack, rank: float) -> Move | None:
    """Take a look that found the page."""
    state.longest, state.missing = max(state.longest, state.missing), 0
    band = state.band()
    if band is None or band.low <= rank <= band.high:
        for waiting in state.outside:
            state.take(waiting, look.url)
        state.outside = []
        state.take(rank, look.url)
        return None
    better = rank < band.level
    if state.outside and (state.outside[-1] < band.level) != better:
        for waiting in state.outside:
            state.take(waiting, look.url)
        state.outside = []
    state.outside.append(rank)
    if len(state.outside) < CONFIRMED:
        return None
    move = Move(direction="up" if better else "down", band=band, url=state.url)
    _begin_anew(state, rank, look.url)
    return move


def _begin_anew(state: _State, rank: float, url: str | None) -> None:
    """Let the level begin at a rank; the noise stays known."""
    state.level, state.outside, state.url = rank, [], url
