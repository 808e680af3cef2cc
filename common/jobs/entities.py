"""The entity of jobs."""

from common.entity import Entity, Index, Personal
from common.jobs.models import Job

JOBS = Entity(
    name="job",
    domain="platform",
    model=Job,
    collection="jobs",
    key="job_id",
    events={
        "created": "job-created",
        "updated": "job-progressed",
        "updated:status=succeeded": "job-succeeded",
        "updated:status=failed": "job-failed",
        "updated:status=cancelled": "job-cancelled",
    },
    indexes=(
        Index(fields=("tenant_id", "-created_at")),
        Index(fields=("tenant_id", "status", "-created_at")),
        Index(fields=("tenant_id", "type", "-created_at")),
        Index(fields=("tenant_id", "status", "type", "-created_at")),
        Index(fields=("tenant_id", "type", "created_at")),  # imports of a day, for their quota
        Index(fields=("tenant_id", "finished_at")),  # retention
        Index(fields=("status", "updated_at")),  # the sweep looks at all tenants
    ),
    unindexed=("parameters", "checkpoint", "result", "error", "lease", "progress"),
    personal=(Personal(field="created_by", kind="user_id", erasure="pseudonymise"),),
    impersonal={"lease.owner": "Id of the delivery that runs the job, not of a person."},
    unaudited=("progress", "checkpoint", "lease", "attempts", "part", "updated_at"),
    kept={"*": "A job's course is its own; cancel it, or begin another."},
    purpose="Long work that people asked for: its progress, its result and who waits for it.",
    retention="operational",
    aged_by="finished_at",
)
