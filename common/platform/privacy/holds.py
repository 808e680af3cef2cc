"""Legal holds as administrators place and release them; ``require_none`` is what destroyers ask.

``common.protection.holds`` holds the rule itself, so that other domains can ask as well. A hold is never changed but
released; both leave an event, hence an entry of the audit trail, with who and why.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from common.answers import Answer, Page, Record
from common.context import Context
from common.errors import Conflict, FieldError, Unprocessable
from common.identifiers import uuid7
from common.platform.privacy.hold_models import HoldListQuery, HoldPlace, HoldRelease
from common.protection.entities import LEGAL_HOLDS
from common.protection.holds import MOST_ACTIVE, active, require_none, require_none_at_all
from common.protection.models import LegalHold
from common.protection.subjects import digests_of
from common.registry import entities, facts
from common.store import Repository, Work, write_record

__all__ = ["get", "listed", "place", "release", "require_none", "require_none_at_all"]


def place(context: Context, body: HoldPlace) -> Answer[Record[LegalHold]]:
    """Place a hold; from its commit on nothing that it covers is destroyed.

    Raises:
        Unprocessable: ``unknown_entity``.
        Conflict: ``too_many_holds``.
        Unavailable: The tenant's key cannot be had now.
    """
    if body.entity is not None and body.entity not in {*entities(), *facts()}:
        message = "there is no such kind of record; the inventory of retention lists them"
        error = FieldError(pointer="/entity", code="unknown_entity", message=message)
        raise Unprocessable("unknown_entity", "There is no such kind of record.", errors=[error])
    hold = LegalHold(
        hold_id=uuid7(),
        tenant_id=context.tenant_id,
        scope=body.scope,
        subject_digests=[] if body.subject is None else digests_of(context, body.subject),
        entity=body.entity,
        reason=body.reason,
        placed_at=datetime.now(UTC),
        placed_by=context.principal.id,
    )

    def work(work: Work) -> LegalHold:
        if len(active(context, work)) >= MOST_ACTIVE:
            raise Conflict("too_many_holds", f"There are {MOST_ACTIVE} active holds: hold a kind of record instead.")
        return work.create(LEGAL_HOLDS, hold)

    location = {"Location": f"/v1/privacy/holds/{hold.hold_id}"}
    return Answer(content=write_record(context, work), status=201, headers=location)


def get(context: Context, hold_id: uuid.UUID) -> Record[LegalHold]:
    """Return a hold.

    Raises:
        NotFound: ``legal_hold_not_found``.
    """
    return Repository(LEGAL_HOLDS, context).get(str(hold_id))


def listed(context: Context, query: HoldListQuery) -> Page[LegalHold]:
    """Return a page of holds, the latest first.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    filters = [] if query.status is None else [("status", "==", query.status)]
    return Repository(LEGAL_HOLDS, context).page(filters, ("-placed_at",), limit=query.limit, cursor=query.cursor)


def release(context: Context, hold_id: uuid.UUID, body: HoldRelease) -> Record[LegalHold]:
    """Release a hold; its event lets go on what waited for it.

    Raises:
        NotFound: ``legal_hold_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``already_released``.
    """

    def work(work: Work) -> LegalHold:
        record = work.get_for_update(LEGAL_HOLDS, str(hold_id))
        if record.value.status == "released":
            raise Conflict("already_released", "The hold was released already.")
        released = {
            "status": "released",
            "released_at": datetime.now(UTC),
            "released_by": context.principal.id,
            "release_reason": body.reason,
        }
        return work.update(LEGAL_HOLDS, record, record.value.model_copy(update=released))

    return write_record(context, work)
