"""A keyword's ranks day by day, in which a gap is a gap: never a drop to 0 or 100."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from common.aso.entities import KEYWORDS, RANK_OBSERVATIONS
from common.aso.models import Day, RankObservation
from common.aso.periods import days_between, refused
from common.aso.rank_models import HistoryDay, HistoryQuery, RankHistory
from common.aso.rank_state import folded
from common.context import Context
from common.store import Repository

USUAL = 90
MOST = 10_000
"""Observations read at most; 400 days of 25 checks a day."""


def read(context: Context, keyword_id: str, query: HistoryQuery) -> RankHistory:
    """Return the history of a keyword, one entry for every day of the range.

    Raises:
        NotFound: ``keyword_not_found``.
        Unprocessable: ``invalid_range`` (it ends before it begins), ``range_too_long`` (more than 400 days, or more
            than 10,000 checks).
    """
    first, last = days_between(query.from_, query.to, USUAL)
    keyword = Repository(KEYWORDS, context).get(keyword_id).value
    filters: list[tuple[str, str, object]] = [
        ("keyword_id", "==", keyword_id),
        ("date", ">=", first.isoformat()),
        ("date", "<=", last.isoformat()),
    ]
    filters += [(name, "==", value) for name in ("device", "locale") if (value := getattr(query, name)) is not None]
    records = Repository(RANK_OBSERVATIONS, context).select(filters, order=("date",), limit=MOST + 1)
    if len(records) > MOST:
        raise refused("range_too_long", f"there are more than {MOST} checks in the range", "query:from")
    return RankHistory.model_validate(
        {
            "keyword_id": keyword_id,
            "keyword": keyword.keyword,
            "from": first.isoformat(),
            "to": last.isoformat(),
            "device": query.device,
            "locale": query.locale,
            "days": series([record.value for record in records], first, last),
        }
    )


def series(observations: Iterable[RankObservation], first: date, last: date) -> list[HistoryDay]:
    """Return one entry for every day from ``first`` to ``last``, both included."""
    of_day: dict[Day, list[RankObservation]] = defaultdict(list)
    for observation in observations:
        of_day[observation.date].append(observation)
    days = ((first + timedelta(days=offset)).isoformat() for offset in range((last - first).days + 1))
    return [_entry(day, of_day.get(day, [])) for day in days]


def _entry(day: Day, observations: Sequence[RankObservation]) -> HistoryDay:
    """Return the entry of a day: the same check counts that counts for the keyword's rank."""
    if not observations:
        return HistoryDay(date=day, gap="none")
    found = folded(observations).current
    if found is None:
        return HistoryDay(date=day, gap="check_failed", checks=len(observations))
    gap = "not_found" if found.position is None else None
    return HistoryDay(
        date=day, position=found.position, url=found.url, gap=gap, depth=found.depth, checks=len(observations)
    )
