"""Following requests: the job that carries one out ends it, or opens it again; the release of a hold lets it go on."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from common.context import Context
from common.errors import Conflict, Locked
from common.events import Envelope
from common.jobs.entities import JOBS
from common.platform.privacy import access, erasure
from common.platform.privacy.requests.entities import PRIVACY_REQUESTS
from common.platform.privacy.requests.models import RequestStart, StoredRequest, Waiting
from common.platform.privacy.requests.service import closed
from common.platform.privacy.requests.starting import start
from common.retention import PURPOSE as RETENTION
from common.store import Repository, Work, transact
from common.warehouse.marks import EVERYTHING, set_marks

DONE = {"access": "The export was made and can be handed to the person.", "erasure": "The person's data was erased."}
AT_ONCE = 100
"""Waiting requests that are read at once."""


def job_ended(context: Context, envelope: Envelope, now: datetime | None = None) -> None:
    """Take note of the end of a job that a request began; other jobs, and a second delivery, change nothing.

    Raises:
        Unavailable: Firestore does not answer; the delivery is tried again.
    """
    change, now = envelope.payload, now or datetime.now(UTC)
    request_id = (change.data.get("parameters") or {}).get("request_id")
    if change.entity != JOBS.name or change.data.get("type") not in {access.JOB, erasure.JOB, erasure.PLAN_JOB}:
        return
    if not isinstance(request_id, str):
        return

    def work(work: Work) -> StoredRequest | None:
        record = work.find(PRIVACY_REQUESTS, request_id)
        if record is None:
            return None
        return work.update(PRIVACY_REQUESTS, record, followed(record.value, change.data, now))

    tenant = context.for_tenant(envelope.tenant_id)
    request = transact(tenant, work)
    if request is not None and request.waits:
        _go_on(tenant, request, now)  # the hold may have been released before this was written


def hold_released(context: Context, envelope: Envelope, now: datetime | None = None) -> int:
    """Begin what waited for a hold that was released; what another hold keeps waits on. Return how many began.

    Raises:
        Unavailable: A dependency does not answer; the delivery is tried again.
    """
    tenant, now = context.for_tenant(envelope.tenant_id), now or datetime.now(UTC)
    set_marks(tenant, tenant.tenant_id, [(RETENTION, EVERYTHING)])
    repository, begun, cursor = Repository(PRIVACY_REQUESTS, tenant), 0, None
    while True:
        page = repository.page([("waits", "==", True)], ("-received_at",), limit=AT_ONCE, cursor=cursor)
        begun += sum(_go_on(tenant, request, now) for request in page.items)
        if page.next_cursor is None:
            return begun
        cursor = page.next_cursor


def _go_on(context: Context, request: StoredRequest, now: datetime) -> bool:
    confirm = None if request.waiting is None else request.waiting.confirm
    try:
        start(context, request.request_id, RequestStart(confirm=confirm), now)
    except (Locked, Conflict):
        return False  # another hold keeps it, or somebody was faster; both are written in the request
    return True


def followed(request: StoredRequest, job: Mapping[str, object], now: datetime) -> StoredRequest:
    """Return a request once its job has ended; unchanged where the job is not its own (any more)."""
    job_id, status = uuid.UUID(str(job["job_id"])), job.get("status")
    planned = job_id == request.plan_job_id and request.status == "verified"
    carried = job_id == request.job_id and request.status == "in_progress"
    if carried and status == "succeeded":
        ended = closed(request, "done", DONE[request.type], now)
        erased = {"email": None, "user_id": None, "details": None} if request.type == "erasure" else {}
        return ended.model_copy(update=erased)
    if not (planned or carried) or status not in {"failed", "cancelled"}:
        return request
    error = job.get("error")
    code = str(error.get("code") if isinstance(error, dict) else status)
    failed: dict[str, object] = {"problem": code, "updated_at": now}
    if carried:
        failed |= {"status": "verified", "job_id": None}
    if carried and code == "legal_hold":
        parameters = job.get("parameters")
        confirm = parameters.get("confirm") if isinstance(parameters, dict) else None
        waiting = Waiting(since=now, hold_ids=[], plan_job_id=request.plan_job_id, confirm=confirm)
        failed |= {"waits": True, "waiting": waiting}
    return request.model_copy(update=failed)
