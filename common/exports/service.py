"""Exports from the outside: begun as jobs, and fetched by a link that works for a quarter of an hour."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from common import objects
from common.answers import Answer
from common.context import Context
from common.errors import Conflict, NotFound
from common.exports.models import ExportLink, ExportResult, Layout
from common.jobs.entities import JOBS
from common.jobs.models import Job, JobView
from common.jobs.service import start_job
from common.signed_links import signed_link
from common.store import Repository, Work, transact


def start(
    context: Context,
    *,
    type: str,  # noqa: A002  # the document's word
    function: str,
    kind: str,
    filters: Mapping[str, Any],
    layout: Layout,
) -> Answer[JobView]:
    """Begin an export; answers 202 with the job and its address.

    Args:
        context: Whose data.
        type: Kind of the job; each domain has its own, and its own link operation.
        function: Name of the task function that runs it.
        kind: What is exported, in the domain's terms.
        filters: Which of it.
        layout: How it is written.
    """
    parameters = {"kind": kind, "filters": dict(filters), "layout": layout.model_dump(mode="json")}

    def work(work: Work) -> Answer[JobView]:
        job = start_job(work, type=type, function=function, parameters=parameters, unit="rows")
        return Answer(content=job.view(), status=202, headers={"Location": f"/v1/jobs/{job.job_id}"})

    return transact(context, work)


def link(context: Context, export_id: uuid.UUID, type: str) -> ExportLink:  # noqa: A002  # the document's word
    """Return a link to the file of an export that succeeded.

    Args:
        context: Whose export.
        export_id: Id of its job.
        type: Kind of job that the operation hands out.

    Raises:
        NotFound: ``export_not_found``: no such export of this tenant; ``export_expired``: its file was deleted.
        Conflict: ``export_not_ready``: it is not written yet; ``export_failed``: it never will be.
        Unavailable: Firestore, Cloud Storage or IAM does not answer.
    """
    record = Repository(JOBS, context).find(str(export_id))
    if record is None or record.value.type != type:
        raise NotFound("export_not_found", f"There is no export {str(export_id)!r}.")
    result = _result(record.value)
    bucket, path = context.clients.settings.report_bucket, file_path(export_id, result.format)
    if not objects.exists(context, bucket, path):
        raise NotFound("export_expired", "The file was deleted: reports are kept for a limited time. Export it again.")
    signed = signed_link(context, bucket, path)
    told = {name: getattr(result, name) for name in ExportLink.model_fields.keys() & ExportResult.model_fields.keys()}
    return ExportLink(export_id=export_id, url=signed.url, expires_at=signed.expires_at, **told)


def file_path(export_id: uuid.UUID, extension: str) -> str:
    """Return the path of an export's file in the report bucket, below the tenant."""
    return f"exports/{export_id}/file.{extension}"


def parts_folder(export_id: uuid.UUID) -> str:
    """Return the folder of what was read already."""
    return f"exports/{export_id}/parts"


def _result(job: Job) -> ExportResult:
    details: dict[str, Any] = {"status": job.status}
    if job.status in {"queued", "running"}:
        details["progress"] = job.progress.model_dump()
        message = f"The export is {job.status}; ask again when its job has succeeded."
        raise Conflict("export_not_ready", message, details=details, headers={"Retry-After": "5"})
    if job.status != "succeeded":
        reason = "it was cancelled" if job.error is None else job.error.detail
        if job.error is not None:
            details["error"] = job.error.model_dump()
        raise Conflict("export_failed", f"There is no file: {reason}", details=details)
    return ExportResult.model_validate(job.result)
