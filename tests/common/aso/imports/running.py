"""Running imports and undos in tests as their tasks would, and looking at everything they may change."""

from __future__ import annotations

import csv
import io
import uuid
from typing import Any

from common.aso.entities import KEYWORDS, RANK_OBSERVATIONS
from common.aso.imports import reads, undo_run
from common.aso.imports import run as run_module
from common.aso.imports import service as imports
from common.aso.imports.models import Import, ImportQuery
from common.aso.imports.start import start
from common.aso.models import Keyword
from common.aso.normalize import keyword_id_of
from common.context import Context
from common.jobs import service
from common.jobs.entities import JOBS
from common.jobs.models import Job, JobTask
from common.jobs.run import run_job
from common.store import Repository
from common.uploads import Upload


def upload(context: Context, content: bytes, **query: Any) -> uuid.UUID:
    """Start an import and return the id of its job."""
    answer = start(context, Upload(content=content, content_type="text/csv"), ImportQuery(**query))
    assert answer.status == 202
    assert answer.headers["Location"] == f"/v1/jobs/{answer.content.job_id}"
    return answer.content.job_id


def finish(context: Context, job_id: uuid.UUID) -> Job:
    """Run a job as its task would, and return it."""
    run_job(context, JobTask(job_id=job_id), run_module.run)
    return Repository(JOBS, context).get(str(job_id)).value


def imported(context: Context, content: bytes, **query: Any) -> dict[str, Any]:
    """Import a file and return the result of the job."""
    job = finish(context, upload(context, content, **query))
    assert job.status == "succeeded", job.error
    assert job.result is not None
    return job.result


def undone(context: Context, import_id: str) -> dict[str, Any]:
    """Undo an import and return the result of the job, without what is 0."""
    answer = imports.start_undo(context, import_id)
    assert answer.status == 202
    run_job(context, JobTask(job_id=answer.content.job_id), undo_run.run)
    job = Repository(JOBS, context).get(str(answer.content.job_id)).value
    assert job.status == "succeeded", job.error
    return {name: number for name, number in (job.result or {}).items() if number}


def the_import(context: Context, import_id: str) -> Import:
    """Return an import."""
    return reads.get(context, import_id).value


def counts(result: dict[str, Any]) -> dict[str, int]:
    """Return the counts of a result that are not 0."""
    names = ("created", "updated", "unchanged", "recorded", "refused")
    return {name: result[name] for name in names if result[name]}


def keyword(context: Context, text: str) -> Keyword:
    """Return a keyword."""
    return Repository(KEYWORDS, context).get(keyword_id_of(context.tenant_id, text)).value


def errors(context: Context, job_id: uuid.UUID) -> list[dict[str, str]]:
    """Return the refused rows of a job."""
    content = b"".join(service.errors(context, job_id).chunks)
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def state(context: Context) -> dict[str, Any]:
    """Return everything a reader sees of keywords and observations."""
    found: dict[str, Any] = {}
    for record in Repository(KEYWORDS, context).select():
        found[record.value.keyword_id] = record.value.model_dump(mode="json")
    for observation in Repository(RANK_OBSERVATIONS, context).select():
        found[observation.value.observation_id] = observation.value.model_dump(mode="json")
    return found
