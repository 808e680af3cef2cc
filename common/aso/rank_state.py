"""A keyword's rank state as a join of what its observations say: the same in whatever order they arrive.

The state is a semilattice: ``merge`` is commutative, associative and idempotent, so duplicates, disorder and
re-computation cannot change the result. Each part is one: maxima of times, the minimum of ranks, and the newest
``HISTORY_DAYS`` days with the greatest entry of each day.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from common.aso.models import Keyword, RankObservation, SerpPosition

HISTORY_DAYS = 30


def rounded(position: float) -> int:
    """Return the rank of a fractional position, halves rounded up (12.5 is 13: never better than observed)."""
    return math.floor(position + 0.5)


def _within_day(entry: SerpPosition) -> tuple[datetime, bool, float, str]:
    """Order of the checks of one day: the later wins; at the same moment a rank wins over none, a better over a worse.

    The id decides what is left, so that no two different entries are equal.
    """
    ranked = entry.position is not None
    return (entry.checked_at, ranked, -entry.position if entry.position is not None else 0.0, entry.observation_id)


def _later(first: datetime | None, second: datetime | None) -> datetime | None:
    return max(filter(None, (first, second)), default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class RankState:
    """What is known of a keyword's rank.

    Attributes:
        history: The greatest successful check of each of the newest days, oldest day first.
        best_ranking: The best rank ever observed; a check that does not find the page does not take it away.
        last_checked: Newest successful check.
        last_failed_check: Newest check that failed.
    """

    history: tuple[SerpPosition, ...] = ()
    best_ranking: int | None = None
    last_checked: datetime | None = None
    last_failed_check: datetime | None = None

    def merge(self, other: RankState) -> RankState:
        """Return what is known when both are known."""
        days: dict[str, SerpPosition] = {}
        for entry in (*self.history, *other.history):
            known = days.get(entry.date)
            if known is None or _within_day(entry) > _within_day(known):
                days[entry.date] = entry
        newest = sorted(days)[-HISTORY_DAYS:]
        return RankState(
            history=tuple(days[day] for day in newest),
            best_ranking=min(
                (best for best in (self.best_ranking, other.best_ranking) if best is not None), default=None
            ),
            last_checked=_later(self.last_checked, other.last_checked),
            last_failed_check=_later(self.last_failed_check, other.last_failed_check),
        )

    @property
    def current(self) -> SerpPosition | None:
        """The newest successful check."""
        return self.history[-1] if self.history else None


def state_of(observation: RankObservation) -> RankState:
    """Return what one observation says."""
    if observation.state == "check_failed":
        return RankState(last_failed_check=observation.checked_at)
    entry = SerpPosition(
        date=observation.date,
        position=observation.position,
        url=observation.url,
        depth=observation.depth,
        checked_at=observation.checked_at,
        observation_id=observation.observation_id,
    )
    best = None if observation.position is None else rounded(observation.position)
    return RankState(history=(entry,), best_ranking=best, last_checked=observation.checked_at)


def folded(observations: Iterable[RankObservation], start: RankState | None = None) -> RankState:
    """Return what all the observations say together."""
    return functools.reduce(RankState.merge, map(state_of, observations), start or RankState())


def counts_for(keyword: Keyword, observation: RankObservation) -> bool:
    """Tell whether an observation is of the device and locale that the keyword prefers."""
    return keyword.device in {None, observation.device} and keyword.locale in {None, observation.locale}


def known_of(keyword: Keyword) -> RankState:
    """Return the state that a keyword carries."""
    return RankState(
        history=tuple(keyword.serp_history),
        best_ranking=keyword.best_ranking,
        last_checked=keyword.last_checked,
        last_failed_check=keyword.last_failed_check,
    )


def with_state(keyword: Keyword, state: RankState) -> Keyword:
    """Return the keyword carrying ``state``."""
    position = state.current.position if state.current else None
    return keyword.model_copy(
        update={
            "serp_history": list(state.history),
            "current_ranking": None if position is None else rounded(position),
            "average_position": position,
            "best_ranking": state.best_ranking,
            "last_checked": state.last_checked,
            "last_failed_check": state.last_failed_check,
        }
    )
