"""Which rows of search performance to add up: for every day one cut of one source, so that no click counts twice.

The same clicks arrive in several cuts (``common.aso.performance.models``), and exports tell of periods that overlap
each other and the days that the interface delivered. Whoever reads the facts asks for the ``coverage`` of a range and
puts ``CHOSEN`` with its parameters into the query::

    chosen = coverage(context, {"query"}, first, last)
    sql = f"SELECT query, SUM(clicks) AS clicks FROM {{search_performance_latest}} WHERE {CHOSEN} GROUP BY query"
    rows(context, sql, chosen.parameters())

Chosen are the portions that together cover the most days without covering one twice; among those with equal cover,
single days rather than periods, then cuts with fewer splits (the finer a source cuts, the more rare searches it leaves
out), then what was told last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from common.aso.performance.models import TOTAL, SplitBy
from common.context import Context
from common.warehouse.query import Typed, rows

CHOSEN = """\
date >= @first AND date <= @last AND from_date >= @first AND search_type = @search_type
  AND CONCAT(
    COALESCE(site, ''), ' ', source, ' ', dimensions, ' ', CAST(from_date AS STRING), ' ', CAST(date AS STRING)
  ) IN UNNEST(@portions)"""
"""Condition on ``{search_performance_latest}``."""

SQL = """\
SELECT
  site,
  source,
  dimensions,
  from_date,
  date AS last_date,
  COUNT(*) AS number,
  MAX(change_sequence) AS newest
FROM {search_performance_latest}
WHERE date >= @first AND date <= @last AND from_date >= @first AND search_type = @search_type
GROUP BY site, source, dimensions, from_date, last_date
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Portion:
    """Rows that one source told of one day or period in one cut.

    Attributes:
        site: The source's property, where it is known.
        source: Of the rows.
        dimensions: The cut.
        first: First day.
        last: Last day.
        number: Rows.
        newest: Greatest sequence of the rows.
    """

    site: str | None
    source: str
    dimensions: str
    first: date
    last: date
    number: int = 0
    newest: int = 0

    @property
    def key(self) -> str:
        """What ``CHOSEN`` compares."""
        return " ".join((self.site or "", self.source, self.dimensions, self.first.isoformat(), self.last.isoformat()))

    @property
    def splits(self) -> frozenset[str]:
        """By what the rows are split."""
        return frozenset() if self.dimensions == TOTAL else frozenset(self.dimensions.split("+"))

    @property
    def days(self) -> int:
        """Days it is about."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """What a range is answered from.

    Attributes:
        first: First day of the range.
        last: Last day of the range.
        search_type: Which results.
        portions: What to add up, in order of days; no day is in two of them.
    """

    first: date
    last: date
    search_type: str
    portions: tuple[Portion, ...]

    @property
    def days(self) -> int:
        """Days of the range with data."""
        return sum(portion.days for portion in self.portions)

    @property
    def newest_day(self) -> date | None:
        """Last day with data; None where there is none."""
        return self.portions[-1].last if self.portions else None

    def parameters(self) -> dict[str, object]:
        """Return the parameters of ``CHOSEN``."""
        return {
            "first": self.first,
            "last": self.last,
            "search_type": self.search_type,
            "portions": Typed("STRING", [portion.key for portion in self.portions]),
        }


def coverage(
    context: Context,
    needed: Collection[SplitBy],
    first: date,
    last: date,
    *,
    search_type: str = "web",
    daily: bool = False,
    site: str | None = None,
) -> Coverage:
    """Return what to add up for a range.

    Args:
        context: Tenant, clients and deadline.
        needed: By what the rows must be split, at least.
        first: First day.
        last: Last day.
        search_type: Which results.
        daily: Only rows about single days, where the day itself matters.
        site: Only rows of this property; None takes any.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    found = [each for each in told(context, first, last, search_type=search_type) if site is None or each.site == site]
    chosen = choose(found, needed, daily=daily)
    return Coverage(first=first, last=last, search_type=search_type, portions=tuple(chosen))


def told(context: Context, first: date, last: date, *, search_type: str = "web") -> list[Portion]:
    """Return every portion there is of a range, to choose from.

    Args:
        context: Tenant, clients and deadline.
        first: First day.
        last: Last day.
        search_type: Which results.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    answer = rows(context, SQL, {"first": first, "last": last, "search_type": search_type})
    return [
        Portion(
            site=row["site"],
            source=row["source"],
            dimensions=row["dimensions"],
            first=row["from_date"],
            last=row["last_date"],
            number=int(row["number"]),
            newest=int(row["newest"]),
        )
        for row in answer
    ]


def choose(portions: Iterable[Portion], needed: Collection[SplitBy], *, daily: bool = False) -> list[Portion]:
    """Return portions that cover the most days, none of them twice, in order of days."""
    fitting = [each for each in portions if each.splits >= set(needed) and (each.days == 1 or not daily)]
    if not fitting:
        return []
    ending: dict[date, list[Portion]] = defaultdict(list)
    for portion in fitting:
        ending[portion.last].append(portion)
    nothing = _Choice(worth=(0, 0, 0, 0), portion=None, before=None)
    day, best = min(portion.first for portion in fitting), nothing
    until: dict[date, _Choice] = {}
    for _ in range((max(ending) - day).days + 1):
        for portion in sorted(ending[day], key=lambda each: each.key):
            before = until.get(portion.first - timedelta(days=1), nothing)
            worth = tuple(a + b for a, b in zip(before.worth, _worth(portion), strict=True))
            if worth > best.worth:
                best = _Choice(worth=worth, portion=portion, before=before)
        until[day] = best
        day += timedelta(days=1)
    return best.portions()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Choice:
    """The best choice up to a day: the last portion of it, and the choice before that."""

    worth: tuple[int, ...]
    portion: Portion | None
    before: _Choice | None

    def portions(self) -> list[Portion]:
        found: list[Portion] = []
        choice: _Choice | None = self
        while choice is not None and choice.portion is not None:
            found.append(choice.portion)
            choice = choice.before
        return found[::-1]


def _worth(portion: Portion) -> tuple[int, int, int, int]:
    days = portion.days
    return days, int(days == 1), -len(portion.splits) * days, portion.newest


def ranges(portions: Sequence[Portion]) -> list[tuple[str, str, date, date]]:
    """Return portions with consecutive ones of a source and cut joined: source, dimensions, first and last day."""
    joined: list[tuple[str, str, date, date]] = []
    for each in portions:
        if joined:
            source, dimensions, first, last = joined[-1]
            if (source, dimensions, last + timedelta(days=1)) == (each.source, each.dimensions, each.first):
                joined[-1] = (source, dimensions, first, each.last)
                continue
        joined.append((each.source, each.dimensions, each.first, each.last))
    return joined
