"""Scoring a page: where it comes from, what is found, and what of it is kept in the history of its piece."""

from __future__ import annotations

from datetime import UTC, datetime

from common import fetch
from common.answers import Page
from common.aso.entities import CONTENT_PIECES
from common.aso.models import ContentPiece
from common.aso.pages import checks, page
from common.aso.pages.decoding import page_text
from common.aso.pages.entities import PAGE_AUDITS
from common.aso.pages.looks import Look
from common.aso.pages.score_models import MAX_HTML, OnPageRequest, PageAudit, PageAuditQuery
from common.context import Context
from common.errors import FieldError, Unprocessable
from common.identifiers import uuid7
from common.store import Repository, Work, transact

HTML_TYPES = ("text/html", "application/xhtml+xml")
LIMITS = fetch.Limits(max_bytes=MAX_HTML, seconds=20)


def score(context: Context, body: OnPageRequest) -> PageAudit:
    """Score a page; with ``content_id`` the audit is kept.

    Raises:
        Unprocessable: ``content_not_found``, ``url_required``, ``unparseable`` (nothing to read), ``page_too_complex``,
            ``page_not_ok`` (the address answers another status than 2xx), and what ``fetch.get`` raises.
    """
    piece = None if body.content_id is None else _piece(context, body.content_id)
    look, source = _looked(context, body, piece)
    audit = _audit(context, body, look, source)
    if piece is None:
        return audit

    def work(work: Work) -> PageAudit:
        # Read again: the piece must not be gone when the audit is stored.
        if work.find(CONTENT_PIECES, piece.content_id) is None:
            raise _no_content(piece.content_id)
        return work.create(PAGE_AUDITS, audit)

    return transact(context, work)


def listed(context: Context, content_id: str, query: PageAuditQuery) -> Page[PageAudit]:
    """Return the audits of a piece, newest first.

    Raises:
        NotFound: ``content_piece_not_found``.
        BadRequest: ``invalid_cursor``.
    """
    Repository(CONTENT_PIECES, context).get(content_id)
    return Repository(PAGE_AUDITS, context).page(
        [("content_id", "==", content_id)], limit=query.limit, cursor=query.cursor
    )


def _piece(context: Context, content_id: str) -> ContentPiece:
    record = Repository(CONTENT_PIECES, context).find(content_id)
    if record is None:
        raise _no_content(content_id)
    return record.value


def _looked(context: Context, body: OnPageRequest, piece: ContentPiece | None) -> tuple[Look, str]:
    """Return the page to look at, and how it was had."""
    keyword = body.keyword or (piece.keyword_primary if piece else "")
    secondary = body.secondary_keywords
    if secondary is None:
        secondary = piece.keyword_secondary[:20] if piece else []
    url = body.url or (piece.url if piece else None)
    if body.text is not None:
        look = Look(page.of_text(body.text), keyword, secondary, url=url, locale=body.locale, is_text=True)
        return look, "text"
    if body.html is not None:
        return Look(page.read(body.html), keyword, secondary, url=url, locale=body.locale), "html"
    if url is None:
        raise _refused("url_required", "/url", "the piece has no address yet; give html or text")
    found = fetch.get(context, url, limits=LIMITS, headers={"Accept": ", ".join(HTML_TYPES)}, content_types=HTML_TYPES)
    if not 200 <= found.status < 300:
        raise Unprocessable(
            "page_not_ok", f"{url[:200]!r} answers {found.status}.", details={"url": found.url, "status": found.status}
        )
    read = page.read(page_text(found.body, found.charset))
    robots = found.headers.get("x-robots-tag", "")
    return Look(read, keyword, secondary, url=found.url, locale=body.locale, robots_header=robots), "fetched"


def _audit(context: Context, body: OnPageRequest, look: Look, source: str) -> PageAudit:
    if not look.word_count and not look.page.title:
        raise _refused("unparseable", f"/{'url' if source == 'fetched' else source}", "there is nothing to read in it")
    found = checks.checked(look)
    return PageAudit.model_validate(
        {
            "audit_id": str(uuid7()),
            "tenant_id": context.tenant_id,
            "content_id": body.content_id,
            "keyword": look.keyword,
            "secondary_keywords": list(look.secondary),
            "url": look.url,
            "source": source,
            "definition": checks.DEFINITION,
            "score": checks.score(found),
            "word_count": look.word_count,
            "title": None if look.page.title is None else look.page.title[:1000],
            "readability": look.readability,
            "checks": found,
            "created_at": datetime.now(UTC),
        }
    )


def _no_content(content_id: str) -> Unprocessable:
    return _refused("content_not_found", "/content_id", f"there is no piece {content_id!r}")


def _refused(code: str, pointer: str, message: str) -> Unprocessable:
    error = FieldError(pointer=pointer, code=code, message=message)
    return Unprocessable(code, f"{message[0].upper()}{message[1:]}.", errors=[error])
