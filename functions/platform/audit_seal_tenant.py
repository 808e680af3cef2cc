"""Seal the entries of one tenant's audit trail."""

from common.context import Context
from common.platform.audit import seal
from common.platform.audit.seal import SealTask
from triggers import task
from triggers.declaration import Retry


@task.handler(
    while_resting=True,
    timeout=600,
    memory=512,
    concurrency=4,
    retry=Retry(attempts=5, minimum=10, maximum=300),
    needs={
        "firestore:write": "Writes blocks of the chain, and ends the waiting of what is in them.",
        "storage:archive": "Copies each block to where it cannot be rewritten.",
    },
)
def audit_seal_tenant(body: SealTask, context: Context) -> None:
    """Put the entries into blocks of the tenant's chain; a repeated task finds nothing to do."""
    del body
    seal.seal(context)
