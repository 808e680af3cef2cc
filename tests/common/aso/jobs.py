"""Jobs of search optimisation in tests: buckets they need, and running them as their tasks do."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from google.api_core.exceptions import Conflict as BucketExists

from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.context import Context
from common.jobs.entities import JOBS
from common.jobs.models import Job, JobTask
from common.jobs.run import JobRun, run_job
from common.store import Repository

Run = Callable[[JobRun], Mapping[str, Any] | None]


def make_buckets(clients: Clients) -> None:
    """Create the buckets that the deployment has."""
    for name in (clients.settings.content_bucket, clients.settings.report_bucket):
        with contextlib.suppress(BucketExists):
            clients.get(storage_client).create_bucket(name)


def finished(context: Context, job_id: uuid.UUID, run: Run) -> Job:
    """Run a job as its task would, and return it."""
    run_job(context, JobTask(job_id=job_id), run)
    return Repository(JOBS, context).get(str(job_id)).value


def result_of(context: Context, job_id: uuid.UUID, run: Run) -> dict[str, Any]:
    """Run a job that succeeds, and return its result."""
    job = finished(context, job_id, run)
    assert job.status == "succeeded", job.error
    assert job.result is not None
    return job.result
