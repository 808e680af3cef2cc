"""Hubs and spokes: their rules, their states and their lists.

States: a piece begins as ``draft``; ``draft`` can be published or archived, ``published`` can be archived, and
``archived`` can become a draft again (by an update) but never published directly, so that somebody looks at it first.
An archived piece keeps its address: whoever wants the address for another piece clears it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from common import cache, quotas
from common.answers import Cached, Page, Record
from common.aso.caches import ASO_CONTENT
from common.aso.content_models import ArchiveRequest, ContentCreate, ContentQuery, ContentUpdate, PublishRequest
from common.aso.entities import CONTENT_PIECES
from common.aso.models import ContentPiece, ContentStatus
from common.aso.normalize import normalized_url
from common.aso.periods import since_midnight
from common.context import Context
from common.errors import Conflict, FieldError, Unprocessable
from common.identifiers import uuid7
from common.store import Repository, Work, write_record

TRANSITIONS: Mapping[ContentStatus, tuple[ContentStatus, ...]] = {
    "draft": ("published", "archived"),
    "published": ("archived",),
    "archived": ("draft",),
}


def create(context: Context, body: ContentCreate) -> Record[ContentPiece]:
    """Create a piece as a draft.

    Raises:
        Unprocessable: ``hub_required``, ``hub_has_no_hub``, ``hub_not_found``, ``hub_not_hub``, ``hub_archived``,
            ``invalid_url``.
        Conflict: ``url_taken``.
        Forbidden: ``quota_exceeded``.
    """
    quotas.check(context, "content_pieces")
    now = datetime.now(UTC)
    piece = _completed(
        ContentPiece(
            content_id=str(uuid7()),
            tenant_id=context.tenant_id,
            created_at=now,
            updated_at=now,
            **body.model_dump(),
        )
    )

    def work(work: Work) -> ContentPiece:
        _check_hub(work, piece)
        return work.create(CONTENT_PIECES, piece)

    return write_record(context, work)


def get(context: Context, content_id: str) -> Record[ContentPiece]:
    """Return a piece with its version.

    Raises:
        NotFound: ``content_piece_not_found``.
    """
    return Repository(CONTENT_PIECES, context).get(content_id)


def listed(context: Context, query: ContentQuery) -> Cached[Page[ContentPiece]]:
    """Return a page of pieces, newest first, through the cache ``aso_content``.

    Raises:
        BadRequest: ``invalid_cursor``.
    """

    def compute() -> Page[ContentPiece]:
        filters = [
            (name, "==", value)
            for name in ("status", "content_type", "hub_id")
            if (value := getattr(query, name)) is not None
        ]
        since = since_midnight(query.days)
        if since is not None:
            filters.append(("created_at", ">=", since))
        return Repository(CONTENT_PIECES, context).page(filters, limit=query.limit, cursor=query.cursor)

    return cache.read_through(context, ASO_CONTENT, query.model_dump(), compute)


def update(context: Context, content_id: str, body: ContentUpdate) -> Record[ContentPiece]:
    """Change the given fields of a piece; an update that changes nothing keeps the version.

    Raises:
        NotFound: ``content_piece_not_found``.
        PreconditionFailed: ``stale_etag``.
        Unprocessable: ``immutable_type``, ``url_required`` (a published piece keeps an address), the hub rules.
        Conflict: ``invalid_transition``, ``url_taken``.
    """
    given = {name: getattr(body, name) for name in body.model_fields_set}

    def work(work: Work) -> ContentPiece:
        record = work.get_for_update(CONTENT_PIECES, content_id)
        piece = record.value
        if given.get("content_type") not in {None, piece.content_type}:
            raise _refused("immutable_type", "/content_type", f"a {piece.content_type} stays a {piece.content_type}")
        changes = {name: value for name, value in given.items() if name not in {"content_type", "status"}}
        changed = piece.model_copy(update=changes)
        if given.get("status") is not None and given["status"] != piece.status:
            changed = _restored(changed, given["status"])
        if changed.status == "published" and changed.url is None:
            raise _url_required()
        changed = _completed(changed)
        if changed == piece:
            return work.update(CONTENT_PIECES, record, piece)
        if changed.hub_id != piece.hub_id or changed.status != piece.status:
            _check_hub(work, changed)
        return work.update(CONTENT_PIECES, record, _touched(changed))

    return write_record(context, work)


def publish(context: Context, content_id: str, body: PublishRequest) -> Record[ContentPiece]:
    """Publish a draft at its address; the moment of the first publication is kept for good.

    Raises:
        NotFound: ``content_piece_not_found``.
        PreconditionFailed: ``stale_etag``.
        Unprocessable: ``url_required``, ``invalid_url``, ``hub_not_found``, ``hub_archived``.
        Conflict: ``invalid_transition``, ``url_taken``.
    """

    def work(work: Work) -> ContentPiece:
        record = work.get_for_update(CONTENT_PIECES, content_id)
        piece = record.value
        _check_transition(piece.status, "published")
        url = body.url or piece.url
        if url is None:
            raise _url_required()
        _check_hub(work, piece)
        changes: dict[str, Any] = {
            "url": url,
            "status": "published",
            "published_at": piece.published_at or datetime.now(UTC),
        }
        return work.update(CONTENT_PIECES, record, _touched(_completed(piece.model_copy(update=changes))))

    return write_record(context, work)


def archive(context: Context, content_id: str, body: ArchiveRequest) -> Record[ContentPiece]:
    """Archive a draft or a published piece. The spokes of an archived hub stay as they are.

    Raises:
        NotFound: ``content_piece_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``invalid_transition``.
    """

    def work(work: Work) -> ContentPiece:
        record = work.get_for_update(CONTENT_PIECES, content_id)
        _check_transition(record.value.status, "archived")
        changes = {"status": "archived", "archived_at": datetime.now(UTC), "archived_reason": body.reason}
        return work.update(CONTENT_PIECES, record, _touched(record.value.model_copy(update=changes)))

    return write_record(context, work)


def conversion_rate(monthly_conversions: int | None, monthly_traffic: int | None) -> float | None:
    """Return conversions a visit; None where either is unknown or nobody came."""
    if monthly_conversions is None or not monthly_traffic:
        return None
    return monthly_conversions / monthly_traffic


def measured(piece: ContentPiece, monthly_traffic: int) -> ContentPiece:
    """Return the piece with visits that somebody counted, and what follows from them."""
    return _touched(_completed(piece.model_copy(update={"monthly_traffic": monthly_traffic})))


def _completed(piece: ContentPiece) -> ContentPiece:
    """Return the piece with the fields that follow from others."""
    return piece.model_copy(
        update={
            "url_normalized": None if piece.url is None else normalized_url(piece.url),
            "conversion_rate": conversion_rate(piece.monthly_conversions, piece.monthly_traffic),
        }
    )


def _touched(piece: ContentPiece) -> ContentPiece:
    return piece.model_copy(update={"updated_at": datetime.now(UTC)})


def _restored(piece: ContentPiece, status: ContentStatus) -> ContentPiece:
    """Take a piece back from the archive, the only change of status that an update may make."""
    _check_transition(piece.status, status)
    if status != "draft":
        operation = "publish" if status == "published" else "archive"
        raise Conflict(
            "invalid_transition",
            f"An update cannot make a piece {status}; POST /v1/aso/content/{{content_id}}/{operation} does.",
            details={"from": piece.status, "to": status, "allowed": list(TRANSITIONS[piece.status])},
        )
    return piece.model_copy(update={"status": status, "archived_at": None, "archived_reason": None})


def _check_transition(now: ContentStatus, then: ContentStatus) -> None:
    allowed = TRANSITIONS[now]
    if then not in allowed:
        raise Conflict(
            "invalid_transition",
            f"A piece that is {now} cannot become {then}, only {' or '.join(allowed)}.",
            details={"from": now, "to": then, "allowed": list(allowed)},
        )


def _check_hub(work: Work, piece: ContentPiece) -> None:
    """Hold the rules of hub and spoke; reading the hub here keeps it from being deleted before the commit."""
    if piece.content_type == "hub":
        if piece.hub_id is not None:
            raise _refused("hub_has_no_hub", "/hub_id", "a hub belongs to no other hub")
        return
    if piece.hub_id is None:
        raise _refused("hub_required", "/hub_id", "a spoke belongs to a hub")
    hub = work.find(CONTENT_PIECES, piece.hub_id)
    if hub is None:
        raise _refused("hub_not_found", "/hub_id", f"there is no piece {piece.hub_id!r}")
    if hub.value.content_type != "hub":
        raise _refused("hub_not_hub", "/hub_id", f"{piece.hub_id!r} is a spoke")
    if hub.value.status == "archived":
        raise _refused("hub_archived", "/hub_id", f"the hub {piece.hub_id!r} is archived")


def _url_required() -> Unprocessable:
    return _refused("url_required", "/url", "a published piece has an address")


def _refused(code: str, pointer: str, message: str) -> Unprocessable:
    sentence = f"{message[0].upper()}{message[1:]}."
    return Unprocessable(code, sentence, errors=[FieldError(pointer=pointer, code=code, message=message)])
