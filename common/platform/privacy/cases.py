"""Cases: whom a job of privacy is about, kept sealed beside the job, because jobs are published and people are not.

A job's parameters travel in events and the audit trail, so they name the case only. The case holds the person's
identifiers sealed under the tenant's key, belongs to no reader but the job, and is removed when the job has done its
work (its time to live is for jobs that never end).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from common import technical
from common.clients.firestore import firestore_client
from common.context import Context
from common.crypto import envelope
from common.errors import NotFound
from common.firestore_calls import bounded, translated
from common.protection.subjects import Subject
from common.store import Work

LIFETIME = timedelta(days=30)
"""How long a plan can be confirmed, and an unfinished job goes on."""


def path_of(job_id: uuid.UUID) -> str:
    """Return the path of the case of a job."""
    return f"{technical.PRIVACY_CASES.path}/{job_id}"


def open_case(work: Work, job_id: uuid.UUID, request_id: str, subject: Subject) -> None:
    """Keep whom a job is about, in the transaction that starts the job.

    Raises:
        Unavailable: The tenant's key cannot be had now.
    """
    context = work.context
    fields: dict[str, Any] = {
        "tenant_id": context.tenant_id,
        "request_id": request_id,
        "subject": envelope.seal(context, subject.model_dump_json().encode(), associated=_place(job_id)),
        "opened_at": datetime.now(UTC),
        "expires_at": datetime.now(UTC) + LIFETIME,
    }
    reference = context.clients.get(firestore_client).document(path_of(job_id))
    work.write(reference.path, lambda batch: batch.set(reference, fields))


def subject_of(context: Context, job_id: uuid.UUID) -> Subject:
    """Return whom a job is about.

    Raises:
        NotFound: ``privacy_case_not_found``: it was closed, or its time is over.
        Unavailable: Firestore does not answer, or the tenant's key cannot be had now.
    """
    sealed = _read(context, job_id)["subject"]
    return Subject.model_validate_json(envelope.opened(context, sealed, associated=_place(job_id)))


def keep_identifiers(context: Context, job_id: uuid.UUID, identifiers: Iterable[tuple[str, str]]) -> None:
    """Keep every identifier that was found, before the records that tell of them are erased.

    Raises:
        Unavailable: Firestore does not answer, or the tenant's key cannot be had now.
    """
    text = json.dumps([list(each) for each in identifiers])
    sealed = envelope.seal(context, text.encode(), associated=_place(job_id, "identifiers"))
    reference = context.clients.get(firestore_client).document(path_of(job_id))
    with translated():
        reference.update({"identifiers": sealed}, **bounded(context.deadline))


def identifiers_of(context: Context, job_id: uuid.UUID) -> list[tuple[str, str]]:
    """Return kind and value of every identifier of whom a job is about: those kept, or those that were named.

    Raises:
        NotFound: ``privacy_case_not_found``.
        Unavailable: As ``subject_of``.
    """
    fields = _read(context, job_id)
    if "identifiers" not in fields:
        return subject_of(context, job_id).identifiers()
    text = envelope.opened(context, fields["identifiers"], associated=_place(job_id, "identifiers"))
    return [(str(kind), str(value)) for kind, value in json.loads(text)]


def close(context: Context, job_id: uuid.UUID) -> None:
    """Forget whom a job was about; closing it again is harmless."""
    with translated():
        context.clients.get(firestore_client).document(path_of(job_id)).delete(**bounded(context.deadline))


def _read(context: Context, job_id: uuid.UUID) -> dict[str, Any]:
    found = technical.read(context, path_of(job_id))
    if found is None or found[0]["tenant_id"] != context.tenant_id:
        raise NotFound("privacy_case_not_found", "What this job was about is not kept any more; begin it again.")
    return found[0]


def _place(job_id: uuid.UUID, field: str = "subject") -> str:
    return envelope.place("privacy_case", str(job_id), field)
