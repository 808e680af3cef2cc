"""The links between a hub and its spokes: which are there, which are missing, which spokes nobody links to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urljoin

from common.aso.addresses import page_key
from common.aso.models import ContentPiece
from common.aso.pages.link_models import MAX_SPOKES, LinkAudit, LinkState, SpokeLinks


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadPage:
    """What was read of a page.

    Attributes:
        followed: Pages it links to, by ``page_key``.
        nofollow: Pages it links to with a link that asks not to be followed only.
        problem: Why it was not read; None where it was.
    """

    followed: frozenset[str] = frozenset()
    nofollow: frozenset[str] = frozenset()
    problem: str | None = None

    def state(self, key: str) -> LinkState:
        """Return how the page links to another one."""
        if self.problem is not None:
            return "unknown"
        if key in self.followed:
            return "linked"
        return "nofollow" if key in self.nofollow else "missing"


UNREAD = ReadPage(problem="not_given")


def read_page(url: str, links: Iterable[tuple[str, bool]]) -> ReadPage:
    """Return a page from its links.

    Args:
        url: Where it is; relative links are resolved against it.
        links: Each link as written, and whether it asks not to be followed.
    """
    followed, unfollowed = set[str](), set[str]()
    for href, nofollow in links:
        key = _key(url, href)
        if key is not None:
            (unfollowed if nofollow else followed).add(key)
    return ReadPage(followed=frozenset(followed), nofollow=frozenset(unfollowed - followed))


def audited(
    hub: ContentPiece, spokes: Sequence[ContentPiece], pages: Mapping[str, ReadPage], now: datetime, **about: object
) -> LinkAudit:
    """Return the audit of a hub.

    Args:
        hub: The hub.
        spokes: All its spokes, the oldest first.
        pages: What was read, by ``page_key``; a page that is not in it was not read.
        now: The moment of the audit.
        about: ``source``, ``job_id``, ``created_at``.
    """
    published = [spoke for spoke in spokes if spoke.status == "published" and spoke.url is not None]
    covered = published[:MAX_SPOKES]
    hub_key = page_key(hub.url or "")
    hub_page = UNREAD if hub_key is None else pages.get(hub_key, UNREAD)
    keys = {spoke.content_id: page_key(spoke.url or "") or "" for spoke in covered}
    inbound = _inbound(keys, pages)
    rows = []
    for spoke in covered:
        key = keys[spoke.content_id]
        page = pages.get(key, UNREAD)
        rows.append(
            SpokeLinks(
                content_id=spoke.content_id,
                from_hub=hub_page.state(key),
                to_hub="unknown" if hub_key is None else page.state(hub_key),
                from_siblings=inbound.get(key, 0),
                problem=page.problem,
            )
        )
    return LinkAudit.model_validate(
        {
            "content_id": hub.content_id,
            "tenant_id": hub.tenant_id,
            **_figures(rows, hub_page.problem),
            "hub_problem": hub_page.problem,
            "unpublished": len(spokes) - len(published),
            "left_out": len(published) - len(covered),
            "checked_at": now,
            "updated_at": now,
            "created_at": now,
            **about,
        }
    )


def without_spokes(audit: LinkAudit, gone: Mapping[str, str | None]) -> LinkAudit:
    """Return an audit as it stands without some spokes: its figures cover those that are left."""
    rows = [row for row in audit.spokes if row.content_id not in gone]
    return audit.model_copy(update=_figures(rows, audit.hub_problem))


def _inbound(keys: Mapping[str, str], pages: Mapping[str, ReadPage]) -> dict[str, int]:
    """Return how many other spokes link to each spoke, by its page."""
    counts: dict[str, int] = {}
    wanted = set(keys.values())
    for key in wanted:
        page = pages.get(key, UNREAD)
        for linked in page.followed & (wanted - {key}):
            counts[linked] = counts.get(linked, 0) + 1
    return counts


def _figures(rows: Sequence[SpokeLinks], hub_problem: str | None) -> dict[str, object]:
    states = [state for row in rows for state in (row.from_hub, row.to_hub)]
    linked, nofollow, missing = (states.count(state) for state in ("linked", "nofollow", "missing"))
    known = linked + nofollow + missing
    orphans = [row.content_id for row in rows if row.from_hub != "linked" and not row.from_siblings]
    return {
        "spoke_ids": [row.content_id for row in rows],
        "spokes": list(rows),
        "linked": linked,
        "nofollow": nofollow,
        "missing": missing,
        "unknown": states.count("unknown"),
        "coverage": linked / known if known else None,
        "orphans": orphans if hub_problem is None else [],
    }


def _key(base: str, href: str) -> str | None:
    try:
        return page_key(urljoin(base, href.strip()))
    except ValueError:
        return None
