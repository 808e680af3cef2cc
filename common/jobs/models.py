"""Jobs: work that takes longer than a request, with its progress."""

from __future__ import annotations

import uuid
from typing import Any, Literal

from pydantic import Field

from common.model import Model, Timestamp

JobStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]
FINAL: frozenset[JobStatus] = frozenset({"succeeded", "failed", "cancelled"})


class Progress(Model):
    """How far a job is.

    Attributes:
        done: Units done.
        total: Units in all; None while that is unknown.
        unit: What is counted, such as ``rows``.
    """

    done: int = 0
    total: int | None = None
    unit: str = "items"


class JobError(Model):
    """Why a job failed: a stable code and a sentence for a person."""

    code: str
    detail: str


class Lease(Model):
    """Which run works on a job, and until when nobody else may."""

    owner: str
    until: Timestamp


class JobView(Model):
    """A job as its owner sees it.

    Attributes:
        job_id: Id.
        tenant_id: Whose job it is.
        type: What kind of work, such as ``keyword_import``.
        status: ``queued``, ``running``, ``succeeded``, ``failed`` or ``cancelled``.
        progress: How far it is.
        result: What came out, once it succeeded.
        error: Why it failed.
        errors_file: Whether ``GET /v1/jobs/{job_id}/errors`` has a file.
        attempts: How often a run of it began, or it was started again because no run did; since its last progress.
        created_at: When it was asked for.
        created_by: Who asked for it.
        started_at: When its first run began.
        finished_at: When it ended.
        updated_at: When any of this changed.
    """

    job_id: uuid.UUID
    tenant_id: str
    type: str
    status: JobStatus = "queued"
    progress: Progress = Field(default_factory=Progress)
    result: dict[str, Any] | None = None
    error: JobError | None = None
    errors_file: bool = False
    attempts: int = 0
    created_at: Timestamp
    created_by: str
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    updated_at: Timestamp


class Job(JobView):
    """A job as it is stored.

    Attributes:
        function: Name of the task function that does the work.
        parameters: What to do, in the function's terms.
        checkpoint: Where to go on after a crash or a pause, in the function's terms.
        lease: Who works on it.
        part: How many follow-up tasks were made.
    """

    function: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    checkpoint: dict[str, Any] | None = None
    lease: Lease | None = None
    part: int = 0

    def view(self) -> JobView:
        """Return what the owner sees."""
        return JobView(**{name: getattr(self, name) for name in JobView.model_fields})


class JobTask(Model):
    """Body of a job's task."""

    job_id: uuid.UUID


class JobListQuery(Model):
    """Query of the list of jobs.

    Attributes:
        status: Only jobs of this status.
        type: Only jobs of this type.
        limit: Jobs a page.
        cursor: ``next_cursor`` of the page before.
    """

    status: JobStatus | None = None
    type: str | None = Field(default=None, max_length=64)
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=4096)
