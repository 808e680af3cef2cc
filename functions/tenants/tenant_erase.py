"""Erase a tenant whose grace is over."""

from common.context import Context
from common.tenants.deletion import erasure
from common.tenants.deletion.models import EraseTask
from triggers import task
from triggers.declaration import Retry


@task.handler(
    timeout=1800,
    memory=512,
    concurrent_dispatches=5,
    retry=Retry(attempts=20, minimum=10, maximum=600),
    needs={
        "firestore:write": "deletes every document of the tenant and notes each step",
        "bigquery:erase": "deletes the tenant's data sets",
        "storage:write": "deletes the tenant's files",
        "redis:use": "deletes the tenant's cached answers",
        "firebase:administer": "takes the tenant away from people's accounts",
        "tasks:enqueue:tenants-tenant-erase": "goes on in another task when the time of this one is over",
    },
)
def tenant_erase(body: EraseTask, context: Context) -> None:
    """Go on with the erasure where it is, until a search finds nothing of the tenant any more."""
    erasure.run(context, body.tenant_id)
