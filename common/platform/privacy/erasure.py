"""The erasure of a person from the outside: planned first, then confirmed, then carried out (GDPR art. 17).

``plan`` starts a job that changes nothing; its result is an ``ErasurePlan`` with a ``confirm`` token that stands for
exactly what the plan found. ``start`` takes that token and begins the job that erases. If the records it would touch
are others by then, that job ends as failed with ``plan_stale`` before it has changed anything: plan again.
"""

from __future__ import annotations

import uuid
from typing import Literal

from pydantic import Field

from common.context import Context
from common.errors import Conflict, NotFound
from common.identifiers import uuid7
from common.jobs.entities import JOBS
from common.jobs.models import Job
from common.jobs.service import start_job
from common.last_admin import require_another_admin
from common.model import Model, Timestamp
from common.platform.privacy.cases import open_case, subject_of
from common.platform.privacy.holds import require_none
from common.protection.subjects import Subject, digests_of
from common.store import Repository, Work

PLAN_JOB = "privacy_erasure_plan"
PLAN_FUNCTION = "platform-privacy-erasure-plan-run"
JOB = "privacy_erasure"
FUNCTION = "platform-privacy-erasure-run"

Action = Literal["delete", "clear", "pseudonymise", "redact", "drop", "keep"]


class FieldAction(Model):
    """What happens to one field of a kind of record."""

    field: str
    action: Action


class PlannedKind(Model):
    """What an erasure does with one kind of record in one store.

    Attributes:
        store: Such as ``documents``, ``warehouse``, ``files``.
        kind: Entity, table, folder or collection.
        records: How many records there are.
        actions: How many of them are treated how.
        fields: What happens to which field.
    """

    store: str
    kind: str
    records: int
    actions: dict[str, int] = Field(default_factory=dict)
    fields: list[FieldAction] = Field(default_factory=list)


class Kept(Model):
    """What an erasure leaves, and why."""

    kind: str
    reason: str


class ErasurePlan(Model):
    """What an erasure would do; the result of the planning job.

    Attributes:
        identifiers: How many identifiers the person is found by, by kind: those named and those found beside them.
        kinds: By store and kind.
        records: In all.
        kept: What stays, and why.
        blocked: Codes of refusals that stand against it now, such as ``legal_hold`` and ``last_admin``.
        confirm: Token that stands for this plan.
        planned_at: When it was made.
    """

    identifiers: dict[str, int]
    kinds: list[PlannedKind]
    records: int
    kept: list[Kept]
    blocked: list[str]
    confirm: str
    planned_at: Timestamp


def plan(work: Work, *, request_id: str, subject: Subject) -> Job:
    """Begin to plan an erasure; nothing is changed by it.

    Args:
        work: The transaction of whoever asks.
        request_id: The privacy request it serves; its life cycle hears of the end (``requests.job_ended``).
        subject: Who is to be erased.

    Raises:
        Unavailable: The tenant's key cannot be had now.
    """
    job_id = uuid7()
    open_case(work, job_id, request_id, subject)
    return start_job(
        work,
        type=PLAN_JOB,
        function=PLAN_FUNCTION,
        parameters={"request_id": request_id},
        unit="records",
        job_id=job_id,
    )


def start(work: Work, *, request_id: str, plan_job_id: uuid.UUID, confirm: str) -> Job:
    """Begin an erasure that was planned.

    Args:
        work: The transaction of whoever confirms.
        request_id: The privacy request; the one of the plan.
        plan_job_id: The job of the plan.
        confirm: The plan's token.

    Raises:
        NotFound: ``privacy_plan_not_found``; ``privacy_case_not_found``: the plan is older than 30 days.
        Conflict: ``privacy_plan_not_ready``; ``plan_token_wrong``: the token is not this plan's; ``last_admin``: the
            person is the only active administrator of the tenant.
        Locked: ``legal_hold``, with its written reason.
        Unavailable: The tenant's key cannot be had now.
    """
    planned = _planned(work.context, plan_job_id, request_id)
    if confirm != planned.confirm:
        raise Conflict("plan_token_wrong", "The token is not that of the plan; confirm with the one the plan gave.")
    subject = subject_of(work.context, plan_job_id)
    require_erasable(work.context, subject, work)
    job_id = uuid7()
    open_case(work, job_id, request_id, subject)
    return start_job(
        work,
        type=JOB,
        function=FUNCTION,
        parameters={"request_id": request_id, "plan_job_id": str(plan_job_id), "confirm": confirm},
        unit="records",
        total=planned.records,
        job_id=job_id,
    )


def require_erasable(context: Context, subject: Subject, work: Work | None = None) -> None:
    """Refuse to erase somebody whom a legal hold keeps, or who is the last administrator.

    Raises:
        Locked: ``legal_hold``.
        Conflict: ``last_admin``.
    """
    require_none(context, digests_of(context, subject), work=work)
    if subject.user_id is not None:
        require_another_admin(context, subject.user_id)


def _planned(context: Context, plan_job_id: uuid.UUID, request_id: str) -> ErasurePlan:
    record = Repository(JOBS, context).find(str(plan_job_id))
    if record is None or record.value.type != PLAN_JOB or record.value.parameters.get("request_id") != request_id:
        raise NotFound("privacy_plan_not_found", "There is no plan of this request with this id.")
    if record.value.status != "succeeded":
        raise Conflict(
            "privacy_plan_not_ready", f"The plan is {record.value.status}; confirm it when it has succeeded."
        )
    return ErasurePlan.model_validate(record.value.result)
