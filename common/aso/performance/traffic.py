"""Monthly traffic of content pieces, as search performance measured it.

New figures of pages make a tenant due; a task then compares the visits of the newest 30 days with what the pieces say,
in the warehouse, and writes the pieces that differ. A page is a piece's where their normalised addresses are equal. A
piece whose page was not shown at all has no visits, provided its host was: of a host nobody tells about nothing is
known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pydantic import Field

from common.aso.content import measured
from common.aso.entities import CONTENT_PIECES
from common.aso.opportunity_rules import MONTH_DAYS
from common.aso.performance.coverage import CHOSEN, Coverage, coverage
from common.aso.performance.entities import TRAFFIC
from common.aso.performance.record import page_key_of
from common.context import Context
from common.model import Model, Timestamp
from common.store import Work, in_chunks, transact
from common.warehouse import marks
from common.warehouse.due import enqueue_due
from common.warehouse.query import rows

TENANT_TASK = "aso-content-traffic-tenant"
FEWEST_DAYS = 25
"""Days of the month that must be known; an export of 28 days is."""
OLDEST = 60
"""Days after which figures say nothing about the present."""
CHUNK = 100
KEYS_AT_ONCE = 5000
"""Addresses of one query: a parameter of about half a megabyte."""

PIECES = """\
SELECT content_id, url, monthly_traffic
FROM {content_pieces_latest}
WHERE status = 'published' AND url IS NOT NULL
ORDER BY content_id
"""
PAGES = f"""\
SELECT page_key, SUM(clicks) AS clicks
FROM {{search_performance_latest}}
WHERE {CHOSEN} AND page_key IN UNNEST(@keys)
GROUP BY page_key
"""  # noqa: S608 - built of constants
HOSTS = f"""\
SELECT DISTINCT REGEXP_EXTRACT(page_key, r'^https?://([^/]+)') AS host
FROM {{search_performance_latest}}
WHERE {CHOSEN} AND page_key IS NOT NULL
"""  # noqa: S608 - built of constants


class TrafficTask(Model):
    """One tenant whose pages have new figures; the tenant itself travels with the task.

    Attributes:
        working_since: Names the claim that ends with the task.
    """

    working_since: Timestamp


class TrafficResult(Model):
    """What came of it.

    Attributes:
        days: Days of the month with figures by page; below 25 nothing is changed.
        pieces: Published pieces with an address.
        changed: Pieces whose traffic was written.
    """

    days: int = Field(examples=[30])
    pieces: int = 0
    changed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Piece:
    content_id: str
    key: str
    traffic: int | None


def enqueue_changed(context: Context, now: datetime | None = None) -> int:
    """Make a task for every tenant whose pages have new figures; return how many.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer.
    """
    return enqueue_due(
        context, TRAFFIC, TENANT_TASK, lambda claim: TrafficTask(working_since=claim.working_since), now=now
    )


def fold_claimed(context: Context, task: TrafficTask) -> TrafficResult:
    """Bring the pieces of a task's tenant up to date and end its claim.

    Raises:
        Unavailable: A dependency does not answer; the task is tried again.
    """
    result = fold(context, datetime.now(UTC).date())
    marks.finish(context, TRAFFIC, context.tenant_id, marks.EVERYTHING, task.working_since)
    return result


def fold(context: Context, today: date) -> TrafficResult:
    """Write the traffic of the pieces whose pages were visited more or less than they say; repeating changes nothing.

    Raises:
        Unavailable: A dependency does not answer.
    """
    chosen = _newest_month(context, today)
    if chosen.days < FEWEST_DAYS:
        return TrafficResult(days=chosen.days)
    pieces = [
        _Piece(content_id=row["content_id"], key=page_key_of(row["url"]), traffic=row["monthly_traffic"])
        for row in rows(context, PIECES, {})
    ]
    visits = _visits(context, chosen, pieces)
    changed = {piece.content_id: new for piece in pieces if (new := visits.get(piece.key)) not in {None, piece.traffic}}
    written = sum(_write(context, chunk, changed) for chunk in in_chunks(sorted(changed), CHUNK))
    return TrafficResult(days=chosen.days, pieces=len(pieces), changed=written)


def _newest_month(context: Context, today: date) -> Coverage:
    """Return the 30 days that end with the newest day of which pages are known."""
    recent = coverage(context, {"page"}, today - timedelta(days=OLDEST + MONTH_DAYS), today)
    newest = recent.newest_day
    if newest is None or (today - newest).days > OLDEST:
        return Coverage(first=today, last=today, search_type=recent.search_type, portions=())
    return coverage(context, {"page"}, newest - timedelta(days=MONTH_DAYS - 1), newest)


def _visits(context: Context, chosen: Coverage, pieces: Sequence[_Piece]) -> Mapping[str, int]:
    """Return the visits of a month by page, of those pages of which something is known."""
    hosts = {row["host"] for row in rows(context, HOSTS, chosen.parameters())}
    known = {piece.key: 0 for piece in pieces if piece.key.partition("://")[2].partition("/")[0] in hosts}
    for keys in in_chunks(sorted(known), KEYS_AT_ONCE):
        for row in rows(context, PAGES, {**chosen.parameters(), "keys": list(keys)}):
            known[row["page_key"]] = round(row["clicks"] * MONTH_DAYS / chosen.days)
    return known


def _write(context: Context, content_ids: Sequence[str], visits: Mapping[str, int | None]) -> int:
    """Write the traffic of some pieces; the warehouse may be behind, so what a piece says counts."""

    def work(work: Work) -> int:
        found = work.get_many(CONTENT_PIECES, content_ids)
        changed = 0
        for content_id, record in found.items():
            traffic = visits[content_id]
            if traffic is not None and record.value.monthly_traffic != traffic:
                work.update(CONTENT_PIECES, record, measured(record.value, traffic))
                changed += 1
        return changed

    return transact(context, work)
