"""Requests of people about their data: recorded, listed, extended, answered or refused in writing.

``received`` -> ``verified`` -> ``in_progress`` -> ``done`` | ``refused``. The month of GDPR art. 12(3) counts as thirty
days from the receipt; it may be extended once, by two months, with a reason and before it is over. Objections and
restrictions only ever keep data from being used, so they need no proof of who asks; everything else does.
"""

from __future__ import annotations

import calendar
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from common.answers import Answer, Page, Record
from common.context import Context
from common.errors import Conflict, FieldError, Unprocessable
from common.identifiers import uuid7
from common.platform.privacy.requests.entities import PRIVACY_REQUESTS
from common.platform.privacy.requests.models import (
    PrivacyRequest,
    RequestClose,
    RequestCreate,
    RequestExtend,
    RequestListQuery,
    RequestRefuse,
    StoredRequest,
)
from common.protection.subjects import digests_of
from common.store import Repository, Work, write_record

ANSWERED_WITHIN = timedelta(days=30)
"""The one month of GDPR art. 12(3), counted as thirty days: never later than the month."""
EXTENSION_MONTHS = 2
LATEST_RECORDING = timedelta(days=366)
"""How long ago a request may have been received when it is recorded."""
CLOCKS = timedelta(minutes=5)
"""How far clocks may be apart."""


def create(context: Context, body: RequestCreate, now: datetime | None = None) -> Answer[Record[PrivacyRequest]]:
    """Record a request; its deadline runs from when it was received.

    Raises:
        Unprocessable: ``received_in_future``, ``received_long_ago``.
        Unavailable: The tenant's key cannot be had now.
    """
    now = now or datetime.now(UTC)
    received_at = _received(body.received_at or now, now)
    due_at = received_at + ANSWERED_WITHIN
    request = StoredRequest(
        request_id=uuid7(),
        tenant_id=context.tenant_id,
        type=body.type,
        email=body.subject.email,
        user_id=body.subject.user_id,
        subject_digests=digests_of(context, body.subject),
        purposes=list(dict.fromkeys(body.purposes)),
        details=body.details,
        received_at=received_at,
        due_at=due_at,
        alarm_at=due_at,
        created_at=now,
        created_by=context.principal.id,
        updated_at=now,
    )
    stored = write_record(context, lambda work: work.create(PRIVACY_REQUESTS, request).view())
    return Answer(content=stored, status=201, headers={"Location": f"/v1/privacy/requests/{request.request_id}"})


def get(context: Context, request_id: uuid.UUID) -> Record[PrivacyRequest]:
    """Return a request.

    Raises:
        NotFound: ``privacy_request_not_found``.
    """
    record = Repository(PRIVACY_REQUESTS, context).get(str(request_id))
    return Record(value=record.value.view(), update_time=record.update_time)


def listed(context: Context, query: RequestListQuery) -> Page[PrivacyRequest]:
    """Return a page of requests, the latest received first.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    wanted = {"status": query.status, "type": query.type, "deadline": query.deadline}
    filters = [(name, "==", value) for name, value in wanted.items() if value is not None]
    found = Repository(PRIVACY_REQUESTS, context).page(
        filters, ("-received_at",), limit=query.limit, cursor=query.cursor
    )
    return Page(items=[each.view() for each in found.items], next_cursor=found.next_cursor)


def extend(
    context: Context, request_id: uuid.UUID, body: RequestExtend, now: datetime | None = None
) -> Record[PrivacyRequest]:
    """Extend the deadline by two months, once and before it is over (GDPR art. 12(3)).

    Raises:
        NotFound: ``privacy_request_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``privacy_request_closed``, ``already_extended``, ``deadline_passed``.
    """
    now = now or datetime.now(UTC)

    def change(request: StoredRequest) -> StoredRequest:
        require_open(request)
        if request.extended_at is not None:
            raise Conflict("already_extended", "The deadline was extended already; it can be extended once.")
        if request.due_at <= now:
            raise Conflict("deadline_passed", "The deadline is over: the person had to be told of a delay before.")
        due_at = months_later(request.due_at, EXTENSION_MONTHS)
        extended = {"due_at": due_at, "alarm_at": due_at, "extended_at": now, "extension_reason": body.reason}
        return request.model_copy(update={**extended, "updated_at": now})

    return changed(context, request_id, change)


def complete(
    context: Context, request_id: uuid.UUID, body: RequestClose, now: datetime | None = None
) -> Record[PrivacyRequest]:
    """Say that a rectification was made; the other types are done by their work alone.

    Raises:
        NotFound: ``privacy_request_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``privacy_request_closed``, ``invalid_transition``.
    """
    now = now or datetime.now(UTC)

    def change(request: StoredRequest) -> StoredRequest:
        require_open(request)
        if request.type != "rectification" or request.status != "in_progress":
            message = "Only a rectification that was started is completed by hand; other requests end with their work."
            raise Conflict("invalid_transition", message)
        return closed(request, "done", body.outcome, now)

    return changed(context, request_id, change)


def refuse(
    context: Context, request_id: uuid.UUID, body: RequestRefuse, now: datetime | None = None
) -> Record[PrivacyRequest]:
    """Refuse a request in writing (GDPR art. 12(4)).

    Raises:
        NotFound: ``privacy_request_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``privacy_request_closed``; ``privacy_job_running``: its job is at work.
    """
    now = now or datetime.now(UTC)

    def change(request: StoredRequest) -> StoredRequest:
        require_open(request)
        if request.status == "in_progress" and request.job_id is not None:
            raise Conflict("privacy_job_running", "Its job is at work: cancel the job first, or let it end.")
        return closed(request, "refused", body.reason, now)

    return changed(context, request_id, change)


def changed(
    context: Context, request_id: uuid.UUID, change: Callable[[StoredRequest], StoredRequest]
) -> Record[PrivacyRequest]:
    """Change a request in a transaction, in the version that the caller read if it said which."""

    def work(work: Work) -> PrivacyRequest:
        record = work.get_for_update(PRIVACY_REQUESTS, str(request_id))
        return work.update(PRIVACY_REQUESTS, record, change(record.value)).view()

    return write_record(context, work)


def closed(request: StoredRequest, status: str, outcome: str, now: datetime) -> StoredRequest:
    """Return a request that is over."""
    deadline = "met" if now <= request.due_at else "missed"
    ended = {"status": status, "outcome": outcome, "closed_at": now, "updated_at": now, "deadline": deadline}
    return request.model_copy(update={**ended, "alarm_at": None, "waits": False, "waiting": None, "verification": None})


def require_open(request: PrivacyRequest) -> None:
    """Refuse to change what is over.

    Raises:
        Conflict: ``privacy_request_closed``.
    """
    if not request.is_open:
        raise Conflict("privacy_request_closed", f"The request is {request.status}; it cannot change any more.")


def months_later(moment: datetime, months: int) -> datetime:
    """Return the same day and time some months later; the last day of a month that has no such day."""
    whole = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(whole, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _received(received_at: datetime, now: datetime) -> datetime:
    if received_at > now + CLOCKS:
        raise _invalid("received_in_future", "the request cannot have been received in the future")
    if received_at < now - LATEST_RECORDING:
        raise _invalid("received_long_ago", "the request was received more than a year ago: is the year right?")
    return received_at.astimezone(UTC)


def _invalid(code: str, message: str) -> Unprocessable:
    return Unprocessable(code, message, errors=[FieldError(pointer="/received_at", code=code, message=message)])
