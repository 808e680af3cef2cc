"""Which keywords are due when: a plan that keeps no list, spreads itself evenly, and loses nobody.

A tier that is checked every ``d`` days has ``24 d`` slots of an hour. A keyword's slot follows from its id alone: ids
are UUIDs of version 5, hence hashes, so the keywords of a slot are a *range of ids*, found by one indexed query, and
every slot holds about as many as any other. In the hour ``h`` since the epoch slot ``h mod 24 d`` is due: each keyword
once in ``d`` days, always at the same hour, whatever else is added or deleted.

Per tier a *position* remembers how far the plan was carried out: up to which hour, and within the next hour's slot up
to which keyword. What was not carried out (nobody ran the schedule, the budget was used up) is next in turn, so
keywords late in the order are not starved by those before them. A position that is more than a whole round behind goes
on where it stands, and owes one round only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from common.aso.models import Priority
from common.aso.site.models import TierPlan

HOURS = 24
SPACE = 1 << 32
"""The first eight hexadecimal digits of an id; the version of a UUID comes after them."""
TIERS: tuple[Priority, ...] = ("tier1", "tier2", "tier3")


@dataclass(frozen=True, kw_only=True, slots=True)
class IdRange:
    """Ids from ``first`` on and before ``end``."""

    first: str
    end: str

    def __contains__(self, keyword_id: str) -> bool:
        return self.first <= keyword_id < self.end


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """How far a tier's plan was carried out.

    Attributes:
        hour: The last hour whose slot is done.
        after: Last keyword done of the slot of the following hour; empty if none is.
    """

    hour: int
    after: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """The keywords of one slot that are due now.

    Attributes:
        hour: Hour whose slot it is.
        ids: Where they are.
    """

    hour: int
    ids: IdRange


def hour_of(moment: datetime) -> int:
    """Return the hour since the epoch."""
    return int(moment.astimezone(UTC).timestamp()) // 3600


def slots_of(days: int) -> int:
    """Return how many slots a tier has that is checked every so many days."""
    return HOURS * days


def days_of(plan: TierPlan, tier: Priority) -> int:
    """Return the days between two checks of a tier."""
    days: int = getattr(plan, tier)
    return days


def slot_of(keyword_id: str, slots: int) -> int:
    """Return the slot of a keyword."""
    return int(keyword_id[:8], 16) * slots // SPACE


def ids_of(slot: int, slots: int) -> IdRange:
    """Return the ids of a slot: exactly those of which ``slot_of`` says so."""
    return IdRange(first=_bound(slot, slots), end=_bound(slot + 1, slots))


def _bound(slot: int, slots: int) -> str:
    least = -(-slot * SPACE // slots)
    return f"{least:08x}" if least < SPACE else "g"  # sorts after every id


def due(position: Position | None, hour: int, slots: int) -> Iterator[Step]:
    """Yield what is due in an hour, the longest waiting first; a round at most.

    Args:
        position: How far the plan was carried out; None where it was never begun: it begins with this hour's slot.
        hour: The present hour.
        slots: Slots of the tier.
    """
    start = caught_up(position, hour, slots)
    for each in range(start.hour + 1, hour + 1):
        ids = ids_of(each % slots, slots)
        if each == start.hour + 1 and start.after in ids:
            # The least id above one: a NUL sorts before every other character.
            ids = IdRange(first=f"{start.after}\0", end=ids.end)
        yield Step(hour=each, ids=ids)


def caught_up(position: Position | None, hour: int, slots: int) -> Position:
    """Return a position that owes one round at most, at the same place in it."""
    if position is None:
        return Position(hour=hour - 1)
    behind = hour - position.hour
    if behind <= slots:
        return position
    return Position(hour=hour - ((behind - 1) % slots + 1), after=position.after)


def checks_a_day(keywords: dict[Priority, int], plan: TierPlan) -> float:
    """Return how many checks a day the plan asks for."""
    return sum(count / days_of(plan, tier) for tier, count in keywords.items())
