"""For each detector a tenant in which it finds one thing, and the same tenant in which that is over."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from common.aso.detectors import cannibalization_scan, content_gap_scan, decay_scan, link_gap_scan
from common.aso.detectors.models import Detection, Detector
from common.aso.entities import CONTENT_PIECES, KEYWORDS, OPPORTUNITIES
from common.aso.models import CompetitorRanking, ContentPiece, Keyword
from common.aso.pages.entities import LINK_AUDITS
from common.aso.performance.models import PerformanceRow
from common.aso.performance.record import record
from common.aso.site.entities import ASO_SETTINGS
from common.aso.site.models import CompetitorSet
from common.aso.site.service import set_competitors
from common.context import Context
from common.entity import Entity
from common.model import Model
from common.store import Repository, transact
from tests.common.aso.detectors.conftest import emptied, fact
from tests.common.aso.detectors.test_link_gap import audit
from tests.common.aso.scan.conftest import Warehouse, keyword

NOW = datetime.now(UTC)
NEWEST = NOW.date() - timedelta(days=2)
FALLING = "https://example.com/falls"
STEADY = "https://example.com/steady"


def put(context: Context, entity: Entity[Any], value: Model) -> None:
    """Write a document as it is."""

    def work(work: Any) -> None:
        known = work.find(entity, getattr(value, entity.key))
        if known is None:
            work.create(entity, value)
        else:
            work.update(entity, known, value)

    transact(context, work, answers=False)


def piece(context: Context, name: str, kind: str = "spoke", **fields: Any) -> ContentPiece:
    """Return a published piece."""
    values: dict[str, Any] = {
        "content_id": name,
        "tenant_id": context.tenant_id,
        "content_type": kind,
        "keyword_primary": f"{name} keyword",
        "hub_id": None if kind == "hub" else "hub",
        "title": f"Title of {name}",
        "url": f"https://example.com/{name}",
        "url_normalized": f"https://example.com/{name}",
        "status": "published",
        "created_at": NOW,
    } | fields
    return ContentPiece(**values)


def weekly(page: str, visits: Sequence[float], impressions: Sequence[float], ranks: Sequence[float]) -> Iterator[Any]:
    """Return seven equal days a week, the oldest week first."""
    last = len(visits) - 1
    for week, (clicks, shown, rank) in enumerate(zip(visits, impressions, ranks, strict=True)):
        for day in range(7):
            yield fact(
                NEWEST - timedelta(days=7 * (last - week) + day),
                query=f"search of {page.rpartition('/')[2]}",
                page=page,
                clicks=round(clicks / 7),
                impressions=round(shown / 7),
                position=rank,
            )


def steady(page: str = STEADY) -> Iterator[PerformanceRow]:
    """Return sixteen weeks in which nothing happens."""
    return weekly(page, [140.0] * 16, [1400.0] * 16, [3.0] * 16)


def falling_by_rank() -> Iterator[PerformanceRow]:
    """Return sixteen weeks in which a page falls from rank 2 to 9 with a steady demand."""
    ranks = [2 + 7 * week / 15 for week in range(16)]
    share = [0.157 * 0.885**week for week in range(16)]
    return weekly(FALLING, [4200 * each for each in share], [4200.0] * 16, ranks)


def falling_by_demand() -> Iterator[PerformanceRow]:
    """Return sixteen weeks in which nobody searches any more for what a page ranks for."""
    demand = [7000 * 0.9**week for week in range(16)]
    return weekly(FALLING, [each * 0.1 for each in demand], demand, [3.0] * 16)


def taking_turns(pages: str) -> Iterator[PerformanceRow]:
    """Return four weeks in which pages are shown by turns for one search."""
    for back in range(28):
        page = pages[back % len(pages)]
        yield fact(
            NEWEST - timedelta(days=back),
            query="shared search",
            page=f"https://example.com/{page}",
            clicks=10,
            impressions=200,
            position={"a": 6.0, "b": 8.0}[page],
        )


def tell(context: Context, rows: Iterator[PerformanceRow]) -> None:
    """Put facts in place of all there are."""
    emptied(context)
    record(context, list(rows), str(uuid.uuid4()))


def decaying(context: Context) -> None:
    put(context, CONTENT_PIECES, piece(context, "falls", "hub"))
    tell(context, (row for rows in (steady(), falling_by_rank()) for row in rows))


def recovered(context: Context) -> None:
    tell(context, (row for rows in (steady(), steady(FALLING)) for row in rows))


def shared(context: Context) -> None:
    put(context, CONTENT_PIECES, piece(context, "a", "hub"))
    tell(context, taking_turns("ab"))


def unshared(context: Context) -> None:
    tell(context, taking_turns("a"))


def missing_page(context: Context, **fields: Any) -> Keyword:
    rankings = [CompetitorRanking(competitor=f"www.{host}", position=3) for host in ("example.org", "example.net")]
    values = {
        "search_volume": 4000,
        "difficulty_score": 25.0,
        "competitor_rankings": rankings,
        "last_checked": NOW,
        "intent": "transactional",
    } | fields
    return keyword(context, "gap keyword", **values)


def gap(context: Context, **fields: Any) -> None:
    set_competitors(context, CompetitorSet(competitors=["example.org", "https://blog.example.net/"]))
    found = missing_page(context, **fields)
    put(context, KEYWORDS, found)
    Warehouse(context).keywords(found)


def filled(context: Context) -> None:
    gap(context, current_ranking=7)


def unlinked(context: Context, **link: str) -> None:
    hub, spoke = piece(context, "hub", "hub"), piece(context, "s0")
    for each in (hub, spoke):
        put(context, CONTENT_PIECES, each)
        known = keyword(
            context,
            each.keyword_primary,
            search_volume=5000,
            difficulty_score=30.0,
            current_ranking=8,
            average_position=8.0,
            last_checked=NOW,
        )
        put(context, KEYWORDS, known)
    links = {"from_hub": "missing", "to_hub": "linked"} | link
    found = audit(links).model_copy(update={"tenant_id": context.tenant_id, "checked_at": NOW})
    put(context, LINK_AUDITS, found)


def linked(context: Context) -> None:
    unlinked(context, from_hub="linked")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One detector at work.

    Attributes:
        detector: Which.
        now: Scans while somebody waits.
        holds: Makes the tenant one in which one thing is found.
        ends: Makes it one in which that is over.
        subject: What the opportunity is about.
        reason: Why it is closed then.
    """

    detector: Detector
    now: Callable[[Context], Detection]
    holds: Callable[[Context], None]
    ends: Callable[[Context], None]
    subject: Callable[[Context], str]
    reason: str


SCENES: Mapping[str, Scene] = {
    "content_decay": Scene(
        detector="content_decay",
        now=decay_scan.decay_now,
        holds=decaying,
        ends=recovered,
        subject=lambda _: FALLING,
        reason="no_longer_falling",
    ),
    "cannibalization": Scene(
        detector="cannibalization",
        now=cannibalization_scan.cannibalization_now,
        holds=shared,
        ends=unshared,
        subject=lambda context: keyword(context, "shared search").keyword_id,
        reason="pages_no_longer_rivals",
    ),
    "content_gap": Scene(
        detector="content_gap",
        now=content_gap_scan.content_gap_now,
        holds=gap,
        ends=filled,
        subject=lambda context: keyword(context, "gap keyword").keyword_id,
        reason="own_page_ranks",
    ),
    "link_gap": Scene(
        detector="link_gap",
        now=link_gap_scan.link_gap_now,
        holds=unlinked,
        ends=linked,
        subject=lambda _: "hub",
        reason="every_link_is_there",
    ),
}


def forget(context: Context) -> None:
    """Remove the tenant's documents and facts."""

    def work(work: Any) -> None:
        for entity in (OPPORTUNITIES, KEYWORDS, CONTENT_PIECES, LINK_AUDITS, ASO_SETTINGS):
            for each in work.select(entity):
                work.delete(entity, each)

    transact(context, work, answers=False)
    emptied(context)
    Warehouse(context).clear("keyword")


def stored(context: Context) -> list[Any]:
    """Return the stored opportunities."""
    return [each.value for each in Repository(OPPORTUNITIES, context).select()]


def versions(context: Context) -> dict[str, datetime]:
    """Return when each stored opportunity was written last."""
    return {each.value.opportunity_id: each.update_time for each in Repository(OPPORTUNITIES, context).select()}
