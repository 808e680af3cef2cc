"""Verify one tenant's audit trail."""

from common.context import Context
from common.platform.audit import verification
from common.platform.audit.verification_models import VerifyTask
from triggers import task
from triggers.declaration import Retry


@task.handler(
    while_resting=True,
    timeout=1800,
    memory=512,
    concurrency=2,
    concurrent_dispatches=5,
    retry=Retry(attempts=3, minimum=60, maximum=300),
    needs={
        "firestore:write": "Reads entries and blocks, keeps the result, and records an alarm.",
        "storage:archive": "Holds the blocks against their copies.",
    },
)
def audit_verify_tenant(body: VerifyTask, context: Context) -> None:
    """Recompute the tenant's chain; whatever is not as it was sealed is logged as `audit_chain_broken`."""
    del body
    verification.verify(context)
