"""The access export from the outside: everything that is kept about a person, as one file (GDPR art. 15 and 20).

``start`` begins the job in the transaction of whoever asks; ``link`` hands out its file while the file exists.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from pydantic import Field

from common import objects
from common.context import Context
from common.errors import Conflict, NotFound
from common.identifiers import uuid7
from common.jobs.entities import JOBS
from common.jobs.models import Job
from common.jobs.service import start_job
from common.model import Model, Timestamp
from common.platform.privacy.cases import open_case
from common.platform.privacy.requests.entities import PRIVACY_REQUESTS
from common.protection.subjects import Subject
from common.signed_links import signed_link
from common.store import Repository, Work

JOB = "privacy_access"
FUNCTION = "platform-privacy-access-run"
KEPT_FOR = timedelta(days=7)
"""How long the file is kept: it is personal data itself."""


class AccessLink(Model):
    """A link to the file of an access export."""

    export_id: uuid.UUID = Field(description="The id of its job.", examples=["0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"])
    url: str = Field(
        description="Whoever has it may download the file until it expires; needs no credential.",
        examples=["https://storage.googleapis.com/reports/demo/privacy/0198c5f2/person.zip?X-Goog-Signature=..."],
    )
    expires_at: Timestamp = Field(examples=["2026-01-31T12:15:00.000000Z"])
    deleted_after: Timestamp = Field(
        description="When the file itself is deleted.", examples=["2026-02-07T12:00:00.000000Z"]
    )
    records: int = Field(description="Records in the file.", examples=[120])
    size: int = Field(description="Bytes.", examples=[48213])
    sha256: str = Field(examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"])


def start(work: Work, *, request_id: str, subject: Subject) -> Job:
    """Begin an access export; the job's result is counts by store, size and digest of the file.

    Args:
        work: The transaction of whoever asks; the job begins when it is committed.
        request_id: The privacy request it answers; its life cycle hears of the end (``requests.job_ended``).
        subject: Whose data.

    Raises:
        Unavailable: The tenant's key cannot be had now.
    """
    job_id = uuid7()
    open_case(work, job_id, request_id, subject)
    parameters = {"request_id": request_id}
    return start_job(work, type=JOB, function=FUNCTION, parameters=parameters, unit="records", job_id=job_id)


def link(context: Context, request_id: uuid.UUID) -> AccessLink:
    """Return a link to the file of a request's export, for a quarter of an hour.

    Raises:
        NotFound: ``privacy_request_not_found``; ``privacy_export_not_found``: the request is for something else;
            ``privacy_export_expired``: its file was deleted.
        Conflict: ``privacy_export_not_ready``, ``privacy_export_failed``.
        Unavailable: Firestore, Cloud Storage or IAM does not answer.
    """
    request = Repository(PRIVACY_REQUESTS, context).get(str(request_id)).value
    if request.type != "access":
        raise NotFound("privacy_export_not_found", f"The request is for {request.type}; only access has an export.")
    if request.job_id is None:
        raise Conflict("privacy_export_not_ready", "The request was not started, or its job failed: start it.")
    job = Repository(JOBS, context).get(str(request.job_id)).value
    export_id = request.job_id
    if job.status in {"queued", "running"}:
        message = f"The export is {job.status}; ask again when its job has succeeded."
        raise Conflict("privacy_export_not_ready", message, headers={"Retry-After": "5"})
    if job.result is None or job.finished_at is None:
        raise Conflict("privacy_export_failed", "There is no file: the job failed or was cancelled.")
    bucket = context.clients.settings.report_bucket
    if not objects.exists(context, bucket, file_path(export_id)):
        raise NotFound("privacy_export_expired", "The file was deleted: it is kept for a week. Ask for another one.")
    signed = signed_link(context, bucket, file_path(export_id))
    told = {name: job.result[name] for name in ("records", "size", "sha256")}
    deleted_after = job.finished_at + KEPT_FOR
    return AccessLink(
        export_id=export_id, url=signed.url, expires_at=signed.expires_at, deleted_after=deleted_after, **told
    )


def file_path(job_id: uuid.UUID) -> str:
    """Return the path of an export's file in the report bucket, below the tenant."""
    return f"privacy/{job_id}/person.zip"
