"""The link audit of a hub: from links that are given at once, from the pages by a job; the newest one is kept.

The job is a polite robot: it keeps robots.txt, fetches a few pages at a time and no more than it was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Literal

from common import fetch
from common.answers import Answer
from common.aso.addresses import page_key
from common.aso.entities import CONTENT_PIECES
from common.aso.models import ContentPiece
from common.aso.pages import page
from common.aso.pages.decoding import page_text
from common.aso.pages.entities import LINK_AUDITS
from common.aso.pages.link_models import (
    LinkAudit,
    LinkAuditAnswer,
    LinkAuditReport,
    LinkAuditRequest,
    MissingLink,
    SpokeLinks,
)
from common.aso.pages.links import ReadPage, Tally, read_page
from common.aso.pages.score_models import MAX_HTML
from common.aso.pages.web_robots import Manners
from common.context import Context
from common.errors import Conflict, NotFound, Refusal, Unprocessable
from common.jobs.run import JobRun
from common.jobs.service import start_job
from common.store import Repository, Work, in_chunks, transact

RUN_FUNCTION = "aso-link-audit-run"
AT_A_TIME = 3
"""Pages of a site that are fetched at the same time."""

SHOWN = 500
HTML_TYPES = ("text/html", "application/xhtml+xml")
LIMITS = fetch.Limits(max_bytes=MAX_HTML, seconds=15)


def request(context: Context, content_id: str, body: LinkAuditRequest) -> Answer[LinkAuditAnswer]:
    """Audit from the links that are given, or begin the job that fetches the pages (202).

    Raises:
        NotFound: ``content_piece_not_found``.
        Conflict: ``not_a_hub``.
        Unprocessable: ``hub_has_no_url``; for a job also what ``fetch.check`` raises for the hub's address.
    """
    hub, spokes = _family(context, content_id)
    if hub.url is None:
        raise Unprocessable("hub_has_no_url", "The hub has no address yet; there is no page to look at.")
    if body.pages is not None:
        tally = _given(hub, spokes, body)
        audit = tally.audit(datetime.now(UTC), source="given")
        return transact(context, lambda work: _answered(work, audit, [hub, *tally.covered]))
    fetch.check(context, hub.url)
    parameters = {"content_id": content_id, "max_pages": body.max_pages}

    def work(work: Work) -> Answer[LinkAuditAnswer]:
        job = start_job(work, type="link_audit", function=RUN_FUNCTION, parameters=parameters, unit="pages")
        headers = {"Location": f"/v1/jobs/{job.job_id}"}
        return Answer(content=LinkAuditAnswer(job=job.view()), status=202, headers=headers)

    return transact(context, work)


def run(job: JobRun) -> Mapping[str, Any]:
    """Fetch the pages of a hub and its spokes, from the last checkpoint on, and keep the audit.

    Raises:
        NotFound: ``content_piece_not_found``: the hub is gone meanwhile.
    """
    hub, spokes = _family(job.context, job.parameters["content_id"])
    state = job.checkpoint
    tally = Tally(hub, spokes, state and state["tally"])
    most, done = int(job.parameters["max_pages"]), int(state["done"]) if state else 0
    reader = _Reader(job.context)
    if not done:
        tally.add_hub(reader.read(hub.url or ""))
        done = 1
    total = min(most, 1 + len(tally.covered))
    for some in in_chunks(tally.waiting()[: most - done], AT_A_TIME):
        for at, found in reader.read_all(tally, some):
            tally.add_spoke(at, found)
        done += len(some)
        job.progress(done, total=total, checkpoint={"tally": tally.state(), "done": done})
    for at in tally.waiting():
        tally.add_spoke(at, ReadPage(problem="page_limit"))
    audit = tally.audit(datetime.now(UTC), source="fetched", job_id=str(job.job.job_id))
    transact(job.context, lambda work: _keep(work, audit), answers=False)
    return {
        "content_id": hub.content_id,
        "pages": done,
        **audit.model_dump(include={"linked", "nofollow", "missing", "unknown", "coverage"}),
        "orphans": len(audit.orphans),
    }


def latest(context: Context, content_id: str) -> LinkAuditReport:
    """Return the newest audit of a hub with the links that are missing.

    Raises:
        NotFound: ``content_piece_not_found``, or ``link_audit_not_found`` where the hub was never audited.
    """
    hub = Repository(CONTENT_PIECES, context).get(content_id).value
    audit = Repository(LINK_AUDITS, context).find(content_id)
    if audit is None:
        raise NotFound("link_audit_not_found", "The links of this hub were not audited yet.")
    concerned = [row.content_id for row in audit.value.spokes if {row.from_hub, row.to_hub} & {"missing", "nofollow"}]
    spokes = Repository(CONTENT_PIECES, context).get_many(concerned[:SHOWN])
    return _report(audit.value, [hub, *(record.value for record in spokes.values())])


class _Reader:
    """Fetches pages and tells what they link to."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._manners = Manners(context)

    def read_all(self, tally: Tally, places: Sequence[int]) -> Iterator[tuple[int, ReadPage]]:
        """Yield the pages of some spokes, fetched at the same time."""
        with ThreadPoolExecutor(AT_A_TIME) as threads:
            found = threads.map(lambda at: self.read(tally.covered[at].url or ""), places)
            yield from zip(places, found, strict=True)

    def read(self, url: str) -> ReadPage:
        """Return what a page links to, or why that is unknown."""
        try:
            refusal = self._manners.refusal(url)
            if refusal is not None:
                return ReadPage(problem=refusal)
            found = fetch.get(
                self._context, url, limits=LIMITS, headers={"Accept": ", ".join(HTML_TYPES)}, content_types=HTML_TYPES
            )
            if not 200 <= found.status < 300:
                return ReadPage(problem=f"http_{found.status}")
            read = page.read(page_text(found.body, found.charset))
        except Refusal as error:
            return ReadPage(problem=error.code)
        base = read.resolved(found.url, "") or found.url
        if "nofollow" in _robots(read, found.headers.get("x-robots-tag", "")):
            return read_page(base, ((link.href, True) for link in read.links))
        return read_page(base, ((link.href, link.nofollow) for link in read.links))


def _robots(read: page.Page, header: str) -> set[str]:
    told = {part.strip().lower() for text in [*read.meta.get("robots", []), header] for part in text.split(",")}
    return told | ({"nofollow"} if "none" in told else set())


def _family(context: Context, content_id: str) -> tuple[ContentPiece, list[ContentPiece]]:
    """Return a hub and its spokes, the oldest first."""
    pieces = Repository(CONTENT_PIECES, context)
    hub = pieces.get(content_id).value
    if hub.content_type != "hub":
        raise Conflict("not_a_hub", "This piece is a spoke; ask for its hub.", details={"hub_id": hub.hub_id})
    spokes = pieces.select([("hub_id", "==", content_id)], order=("created_at",))
    return hub, [record.value for record in spokes]


def _given(hub: ContentPiece, spokes: Sequence[ContentPiece], body: LinkAuditRequest) -> Tally:
    """Return the tally of pages whose links were given; a page that is none of the hub's is passed over."""
    tally = Tally(hub, spokes)
    places = {page_key(spoke.url or ""): at for at, spoke in enumerate(tally.covered)}
    merged: dict[str | None, tuple[str, list[tuple[str, bool]]]] = {}
    for given in body.pages or []:
        links = merged.setdefault(page_key(given.url), (given.url, []))[1]
        links += [(link.href, link.nofollow) for link in given.links]
    for key, (url, links) in merged.items():
        if key is not None and key == page_key(hub.url or ""):
            tally.add_hub(read_page(url, links))
        elif key in places:
            tally.add_spoke(places[key], read_page(url, links))
    return tally


def _answered(work: Work, audit: LinkAudit, pieces: Sequence[ContentPiece]) -> Answer[LinkAuditAnswer]:
    report = _report(_keep(work, audit), pieces)
    return Answer(content=LinkAuditAnswer(report=report))


def _keep(work: Work, audit: LinkAudit) -> LinkAudit:
    """Store the audit in place of the one before, while its hub is there."""
    work.get(CONTENT_PIECES, audit.content_id)
    before = work.find(LINK_AUDITS, audit.content_id)
    if before is None:
        return work.create(LINK_AUDITS, audit)
    return work.update(LINK_AUDITS, before, audit.model_copy(update={"created_at": before.value.created_at}))


def _report(audit: LinkAudit, pieces: Sequence[ContentPiece]) -> LinkAuditReport:
    known = {piece.content_id: piece for piece in pieces}
    hub = known[audit.content_id]
    rows = [(row, known[row.content_id]) for row in audit.spokes if row.content_id in known]
    from_hub = [_missing(hub, spoke, row.from_hub) for row, spoke in rows if _lacks(row, "from_hub")]
    to_hub = [_missing(spoke, hub, row.to_hub) for row, spoke in rows if _lacks(row, "to_hub")]
    return LinkAuditReport(audit=audit, missing_links=[*from_hub, *to_hub][:SHOWN])


def _lacks(row: SpokeLinks, direction: Literal["from_hub", "to_hub"]) -> bool:
    return getattr(row, direction) in {"missing", "nofollow"}


def _missing(source: ContentPiece, target: ContentPiece, state: str) -> MissingLink:
    return MissingLink.model_validate(
        {
            "from_id": source.content_id,
            "from_url": source.url,
            "to_id": target.content_id,
            "to_url": target.url,
            "state": state,
            "anchor": target.keyword_primary,
        }
    )
