"""When the outcome of an opportunity is measured, and which days are compared.

Days are UTC days. The day of the action belongs to neither side. The 28 days before it are compared with the 28 days
that end 28, and then 56, days after it; sources deliver the last of those days a few days late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import get_args

from common.aso.gain_model.models import Horizon

HORIZONS: tuple[Horizon, ...] = get_args(Horizon)
WINDOW_DAYS = 28
LAG_DAYS = 3
"""Days after which Search Console has a day complete."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Days that are looked at, both ends included."""

    first: date
    last: date

    def holds(self, first: date, last: date) -> bool:
        """Tell whether a period lies within."""
        return self.first <= first and last <= self.last


def due_at(acted_at: datetime, horizon: Horizon) -> datetime:
    """Return from when on an outcome can be measured."""
    day = acted_at.astimezone(UTC).date() + timedelta(days=horizon + LAG_DAYS + 1)
    return datetime.combine(day, time.min, UTC)


def first_due(acted_at: datetime) -> datetime:
    """Return when the first outcome of an action is due."""
    return due_at(acted_at, HORIZONS[0])


def next_due(acted_at: datetime, after: Horizon) -> datetime | None:
    """Return when the outcome after one is due; None after the last."""
    later = [horizon for horizon in HORIZONS if horizon > after]
    return due_at(acted_at, later[0]) if later else None


def due_horizons(acted_at: datetime, now: datetime) -> list[Horizon]:
    """Return the horizons that have come, the first one first."""
    return [horizon for horizon in HORIZONS if due_at(acted_at, horizon) <= now]


def before(acted_at: datetime) -> Window:
    """Return the days before an action."""
    day = acted_at.astimezone(UTC).date()
    return Window(first=day - timedelta(days=WINDOW_DAYS), last=day - timedelta(days=1))


def after(acted_at: datetime, horizon: Horizon) -> Window:
    """Return the days up to a horizon."""
    last = acted_at.astimezone(UTC).date() + timedelta(days=horizon)
    return Window(first=last - timedelta(days=WINDOW_DAYS - 1), last=last)
