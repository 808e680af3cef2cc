"""What there is to fetch: the days the API has and we have not, or not finally yet; newest first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta

from common.aso.search_console_api.api import HISTORY_DAYS, PACIFIC
from common.aso.search_console_api.cuts import CUTS, DayCut
from common.context import Context
from common.events import moment_of
from common.warehouse.query import rows

DELAY_DAYS = 2
"""Days that Search Console is behind, at least: nothing final is to be had of younger ones."""
SETTLED_AFTER = timedelta(days=4)
"""After the end of a day its figures no longer change; what was fetched before that is fetched again."""

PUBLISHED = """\
SELECT slice, MAX(change_sequence) AS newest
FROM {search_performance_batches}
WHERE state = 'published' AND STARTS_WITH(slice, @prefix)
GROUP BY slice
"""


def newest_day(today: date) -> date:
    """Return the last day that may be final."""
    return today - timedelta(days=DELAY_DAYS)


def oldest_day(today: date) -> date:
    """Return the first day that the API keeps."""
    return newest_day(today) - timedelta(days=HISTORY_DAYS - 1)


def settled_at(day: date) -> datetime:
    """Return the moment from which on a day's figures stand."""
    return datetime.combine(day + timedelta(days=1), time.min, PACIFIC).astimezone(UTC) + SETTLED_AFTER


def unsettled(today: date) -> tuple[date, date]:
    """Return first and last of the days that may have been fetched more than once lately."""
    return today - SETTLED_AFTER - timedelta(days=7), today


def published(context: Context, site: str) -> Mapping[str, datetime]:
    """Return when each slice of a property was last fetched.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    found = rows(context, PUBLISHED, {"prefix": f"{site} "})
    return {row["slice"]: moment_of(row["newest"]) for row in found}


def missing(site: str, days: Collection[date], fetched: Mapping[str, datetime]) -> list[DayCut]:
    """Return the cuts to fetch, the newest day first.

    Args:
        site: The property.
        days: Days of which the API has something.
        fetched: When each slice was fetched.
    """
    cuts = [
        DayCut(site=site, day=day, number=number) for day in sorted(days, reverse=True) for number in range(len(CUTS))
    ]
    return [cut for cut in cuts if cut.slice not in fetched or fetched[cut.slice] < settled_at(cut.day)]
