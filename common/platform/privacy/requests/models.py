"""Requests of people about their data, as they are asked for, stored and answered (GDPR art. 12 and 15 to 21)."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from common.model import Model, Timestamp
from common.protection.subjects import Subject
from common.suppression import Purpose

RequestType = Literal["access", "erasure", "rectification", "restriction", "objection"]
RequestStatus = Literal["received", "verified", "in_progress", "done", "refused"]
Deadline = Literal["running", "overdue", "met", "missed"]

Writing = Annotated[str, StringConstraints(min_length=10, max_length=2000)]
"""A reason in writing: long enough to say something."""


class Verification(Model):
    """The one-time code that stands out, as a keyed digest.

    Attributes:
        digest: Keyed digest of the code.
        expires_at: From when it is refused.
        attempts: Wrong codes so far.
        issued: How many codes were made for the request.
    """

    digest: str
    expires_at: Timestamp
    attempts: int = 0
    issued: int = 1


class Waiting(Model):
    """What a request waits for.

    Attributes:
        since: Since when.
        hold_ids: Legal holds that keep the data.
        plan_job_id: The plan that was confirmed.
        confirm: Its token: what goes on when the holds are released.
    """

    since: Timestamp
    hold_ids: list[str]
    plan_job_id: uuid.UUID | None = None
    confirm: str | None = None


class PrivacyRequest(Model):
    """A request of a person.

    Attributes:
        request_id: Id.
        tenant_id: Who answers for the data.
        type: What is asked for.
        status: ``received``, ``verified``, ``in_progress``, ``done`` or ``refused``.
        email: E-mail address of the person; None where it was not given, or is erased.
        user_id: User id of the person; None where it was not given, or is erased.
        subject_digests: Keyed digests of the identifiers; what stays of the person after an erasure.
        purposes: Purposes that an objection is about.
        details: What the person wrote, or what is to be corrected.
        received_at: When the tenant received it: the deadline counts from then.
        due_at: When it has to be answered.
        extended_at: When the deadline was extended; None where it was not.
        extension_reason: Why, in writing.
        deadline: ``running``, ``overdue`` (told once), and once it is over ``met`` or ``missed``.
        verified_at: When the person was verified; None where they were not (yet).
        plan_job_id: Job of the plan of an erasure.
        job_id: Job that carries it out.
        waits: Whether a legal hold keeps it from going on.
        waiting: What it waits for; None for nothing.
        problem: Code of why its job failed last; None where it did not.
        outcome: What was done, or why it was refused, in writing.
        closed_at: When it was done or refused.
        created_at: When it was recorded.
        created_by: Who recorded it.
        updated_at: When it was changed last.
    """

    request_id: uuid.UUID
    tenant_id: str
    type: RequestType
    status: RequestStatus = "received"
    email: str | None = None
    user_id: str | None = None
    subject_digests: list[str]
    purposes: list[str] = Field(default_factory=list)
    details: str | None = None
    received_at: Timestamp
    due_at: Timestamp
    extended_at: Timestamp | None = None
    extension_reason: str | None = None
    deadline: Deadline = "running"
    verified_at: Timestamp | None = None
    plan_job_id: uuid.UUID | None = None
    job_id: uuid.UUID | None = None
    waits: bool = False
    waiting: Waiting | None = None
    problem: str | None = None
    outcome: str | None = None
    closed_at: Timestamp | None = None
    created_at: Timestamp
    created_by: str
    updated_at: Timestamp

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done."""
        return self.status not in {"done", "refused"}


class StoredRequest(PrivacyRequest):
    """A request as it is stored.

    Attributes:
        verification: The code that stands out; never leaves Firestore.
        alarm_at: When it becomes overdue; None once that was told, or it is over.
    """

    verification: Verification | None = None
    alarm_at: Timestamp | None = None

    def view(self) -> PrivacyRequest:
        """Return what administrators see."""
        return PrivacyRequest(**{name: getattr(self, name) for name in PrivacyRequest.model_fields})


class RequestCreate(Model):
    """A request to be recorded.

    Attributes:
        type: What is asked for.
        subject: Who asks.
        received_at: When the tenant received it; now where it is left out.
        purposes: Purposes that an objection is about; every one where it is left out. Objections only.
        details: What the person wrote; a rectification says what is to be corrected.
    """

    type: RequestType = Field(examples=["access"])
    subject: Subject = Field(examples=[{"email": "jane.doe@example.com"}])
    received_at: Timestamp | None = Field(default=None, examples=["2026-01-31T12:00:00Z"])
    purposes: list[Purpose] = Field(default_factory=list, max_length=50, examples=[[]])
    details: Annotated[str, StringConstraints(min_length=1, max_length=4000)] | None = Field(
        default=None, examples=["Asked by telephone for a copy of everything."]
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.purposes and self.type != "objection":
            raise PydanticCustomError("purposes_not_asked", "only an objection names purposes")
        if self.type == "rectification" and self.details is None:
            raise PydanticCustomError("details_missing", "a rectification says in details what is to be corrected")
        return self


class RequestListQuery(Model):
    """Which requests to list; the latest received first.

    Attributes:
        status: Only requests of this status.
        type: Only requests of this type.
        deadline: Only requests whose deadline is in this state, such as ``overdue``.
        limit: Requests a page.
        cursor: ``next_cursor`` of the page before.
    """

    status: RequestStatus | None = None
    type: RequestType | None = None
    deadline: Deadline | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=4096)


class RequestExtend(Model):
    """Why the deadline is extended; the person has to be told."""

    reason: Writing = Field(examples=["The request concerns records of eleven years in three archives."])


class RequestStart(Model):
    """How a request is begun.

    Attributes:
        confirm: Token of the plan of an erasure; without it an erasure is planned only. Other types take none.
    """

    confirm: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None,
        description="Token of the plan of an erasure; without it an erasure is planned only.",
        examples=["Zm9yIGV4YW1wbGU"],
    )


class RequestClose(Model):
    """What was done, or why nothing is: what the person is told."""

    outcome: Writing = Field(examples=["The surname was corrected in the profile and in both contracts."])


class RequestRefuse(Model):
    """Why a request is refused: the person is told in writing, and may complain (GDPR art. 12(4))."""

    reason: Writing = Field(examples=["The sender could not be verified as the person the data is about."])


class VerificationCode(Model):
    """A code that the tenant sends to the person, by the address it knows; shown once.

    Attributes:
        code: The code.
        expires_at: From when it is refused.
    """

    code: str
    expires_at: Timestamp


class CodeGiven(Model):
    """The code that the person gave back; hyphens, spaces and case make no difference."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(examples=["7KQ2-M9XD-4RTV"])
