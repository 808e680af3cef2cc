"""Remove what is over of one tenant."""

from common.context import Context
from common.platform.privacy.retention import enforce
from common.platform.privacy.retention.models import RetentionTask
from triggers import task
from triggers.declaration import Retry


@task.handler(
    while_resting=True,
    timeout=600,
    memory=512,
    concurrency=4,
    dispatches_per_second=2,
    concurrent_dispatches=10,
    retry=Retry(attempts=5, minimum=30, maximum=600),
    needs={
        "bigquery:write": "Removes the rows of what is gone.",
        "firestore:write": "Removes documents, records what was done, and ends the tenant's claim.",
        "kms:use": "Compares the people of records with those whose data a legal hold keeps.",
        "redis:use": "Drops cached answers that counted removed facts.",
        "tasks:enqueue:platform-retention-tenant": "Goes on in a follow-up where there is too much for one task.",
    },
)
def retention_tenant(body: RetentionTask, context: Context) -> None:
    """Remove one tenant's records whose time is over, but what a legal hold keeps; a repeated task changes nothing."""
    enforce.enforce_claimed(context, body)
