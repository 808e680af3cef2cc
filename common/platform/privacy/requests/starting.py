"""Beginning what a request asks for.

Access and erasure are jobs; an erasure is planned first and begun with the plan's token. Objections and restrictions
are flags that ``restriction_of`` reads: setting them is all there is to do. What a legal hold keeps waits, and goes on
when the hold is released (``following``).
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from common import suppression
from common.answers import Record
from common.context import Context
from common.errors import Conflict, Locked, Unprocessable
from common.platform.privacy import access, erasure
from common.platform.privacy.requests.entities import PRIVACY_REQUESTS
from common.platform.privacy.requests.models import PrivacyRequest, RequestStart, StoredRequest, Waiting
from common.platform.privacy.requests.service import closed, require_open
from common.protection.entities import RESTRICTIONS
from common.protection.holds import active
from common.protection.models import Restriction
from common.protection.restrictions import restriction_id
from common.protection.subjects import Subject
from common.store import Work, transact, write_record

UNVERIFIED = frozenset({"objection", "restriction"})
"""What may be begun without proof of who asks: it only keeps data from being used."""
FLAGS_SET = "What was asked for is noted, and every use of the data asks for it first."


def start(
    context: Context, request_id: uuid.UUID, body: RequestStart, now: datetime | None = None
) -> Record[PrivacyRequest]:
    """Begin what a request asks for.

    Raises:
        NotFound: ``privacy_request_not_found``, ``privacy_plan_not_found``, ``privacy_case_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``privacy_request_closed``, ``not_verified``, ``already_started``, ``subject_erased``, and what
            ``erasure.start`` says.
        Unprocessable: ``confirm_not_asked``.
        Locked: ``legal_hold``: it is noted, and begins by itself when the hold is released.
        Unavailable: The tenant's key cannot be had now.
    """
    now = now or datetime.now(UTC)

    def work(work: Work) -> PrivacyRequest:
        record = work.get_for_update(PRIVACY_REQUESTS, str(request_id))
        _require_startable(record.value, body)
        return work.update(PRIVACY_REQUESTS, record, _started(work, record.value, body.confirm, now)).view()

    try:
        return write_record(context, work)
    except Locked as error:
        _wait(context, request_id, body.confirm, error, now)
        raise


def _started(work: Work, request: StoredRequest, confirm: str | None, now: datetime) -> StoredRequest:
    """Return the request once its work is begun in the same transaction."""
    if request.type in UNVERIFIED:
        _flag(work, request, now)
        return closed(request, "done", FLAGS_SET, now)
    begun = {"updated_at": now, "waits": False, "waiting": None, "problem": None}
    if request.type == "rectification":
        return request.model_copy(update={**begun, "status": "in_progress"})
    subject, request_id = _subject(request), str(request.request_id)
    if request.type == "access":
        job = access.start(work, request_id=request_id, subject=subject)
        return request.model_copy(update={**begun, "status": "in_progress", "job_id": job.job_id})
    if confirm is None:
        job = erasure.plan(work, request_id=request_id, subject=subject)
        return request.model_copy(update={**begun, "plan_job_id": job.job_id})
    if request.plan_job_id is None:
        raise Conflict("not_planned", "The erasure is planned first: start it without confirm, and read the plan.")
    job = erasure.start(work, request_id=request_id, plan_job_id=request.plan_job_id, confirm=confirm)
    return request.model_copy(update={**begun, "status": "in_progress", "job_id": job.job_id})


def _require_startable(request: StoredRequest, body: RequestStart) -> None:
    require_open(request)
    if body.confirm is not None and request.type != "erasure":
        raise Unprocessable("confirm_not_asked", "Only an erasure is confirmed by the token of its plan.")
    if request.status == "in_progress":
        raise Conflict("already_started", "The request is being carried out already.")
    if request.status == "received" and request.type not in UNVERIFIED:
        raise Conflict("not_verified", "Verify first that the request comes from the person it is about.")


def _subject(request: StoredRequest) -> Subject:
    if request.email is None and request.user_id is None:
        raise Conflict("subject_erased", "The person of this request is erased; nobody can be found by it any more.")
    return Subject(email=request.email, user_id=request.user_id)


def _flag(work: Work, request: StoredRequest, now: datetime) -> None:
    """Set the flags of a restriction or an objection on every identifier, and keep addresses off the lists."""
    context = work.context
    objected = (request.purposes or [suppression.EVERYTHING]) if request.type == "objection" else []
    for digest in request.subject_digests:
        name = restriction_id(context, digest)
        record = work.find(RESTRICTIONS, str(name))
        before = (
            Restriction(restriction_id=name, tenant_id=context.tenant_id, digest=digest, updated_at=now)
            if record is None
            else record.value
        )
        changes = {
            "restricted": before.restricted or request.type == "restriction",
            "objected": sorted({*before.objected, *objected}),
            "request_id": str(request.request_id),
            "updated_at": now,
        }
        after = before.model_copy(update=changes)
        if record is None:
            work.create(RESTRICTIONS, after)
        else:
            work.update(RESTRICTIONS, record, after)
    if request.email is not None:
        for purpose in objected:
            suppression.add(context, request.email, purpose, reason="objection", work=work)


def _wait(context: Context, request_id: uuid.UUID, confirm: str | None, error: Locked, now: datetime) -> None:
    """Note what a request waits for, so that the release of the hold goes on with it.

    A hold that was released meanwhile releases nothing later: then the caller's refusal is all there is.
    """

    def work(work: Work) -> None:
        if not active(context, work):
            return
        record = work.get(PRIVACY_REQUESTS, str(request_id))
        request = record.value
        since = now if request.waiting is None else request.waiting.since
        hold_ids = [str(name) for name in error.details["hold_ids"]]  # type: ignore[attr-defined]
        waiting = Waiting(since=since, hold_ids=hold_ids, plan_job_id=request.plan_job_id, confirm=confirm)
        work.update(
            PRIVACY_REQUESTS, record, request.model_copy(update={"waits": True, "waiting": waiting, "updated_at": now})
        )

    transact(context, work, answers=False)
