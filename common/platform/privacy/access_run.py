"""Making an access export: every store in turn, streamed into one file, which is deleted when its time is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from common import objects
from common.context import Context
from common.jobs.models import JobTask
from common.jobs.run import JobRun, run_job
from common.model import rfc3339
from common.platform.privacy import cases
from common.platform.privacy.access import KEPT_FOR, file_path
from common.platform.privacy.bundle import Bundle
from common.platform.privacy.erasure_run import walk_of
from common.platform.privacy.stores.documents import expand
from common.platform.privacy.stores.every import STORES
from common.tasks import enqueue

DELETE = "platform-privacy-access-delete"
CONTENT_TYPE = "application/zip"


def run(context: Context, task: JobTask) -> None:
    """Do the work of an access export; a run that was interrupted begins anew, and replaces the file."""
    run_job(context, task, _work)


def _work(job: JobRun) -> Mapping[str, Any]:
    if job.checkpoint is not None:
        return dict(job.checkpoint)
    walk = walk_of(job)
    expand(walk)
    told = {"tenant_id": job.context.tenant_id, "identifiers": {k: sorted(v) for k, v in walk.person.values.items()}}
    bundle = Bundle([(store.name, partial(store.export, walk)) for store in STORES], told)
    objects.upload(
        job.context,
        job.context.clients.settings.report_bucket,
        file_path(job.job.job_id),
        bundle.chunks(),
        content_type=CONTENT_TYPE,
        disposition='attachment; filename="person.zip"',
    )
    enqueue(
        job.context,
        DELETE,
        JobTask(job_id=job.job.job_id),
        name=f"privacy-{job.job.job_id}",
        delay=KEPT_FOR.total_seconds(),
    )
    result = {
        "records": bundle.records,
        "kinds": {f"{store}/{kind}": number for (store, kind), number in sorted(bundle.counts.items())},
        "size": bundle.size,
        "sha256": bundle.sha256,
        "deleted_after": rfc3339(datetime.now(UTC) + KEPT_FOR),
    }
    job.progress(bundle.records, total=bundle.records, checkpoint=result, flush=True)
    cases.close(job.context, job.job.job_id)
    return result


def delete(context: Context, task: JobTask) -> None:
    """Delete the file of an access export; deleting it again is harmless.

    Raises:
        Unavailable: Cloud Storage does not answer; the task is tried again.
    """
    objects.delete(context, context.clients.settings.report_bucket, file_path(task.job_id))
