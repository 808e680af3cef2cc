"""Scan one tenant for opportunities."""

from common.aso import scan
from common.aso.opportunity_models import ScanTask
from common.context import Context
from triggers import task
from triggers.declaration import Retry


@task.handler(
    timeout=600,
    memory=512,
    concurrency=4,
    dispatches_per_second=5,
    concurrent_dispatches=10,
    retry=Retry(attempts=5, minimum=10, maximum=300),
    needs={
        "bigquery:read": "Asks which opportunities of the tenant differ.",
        "firestore:write": "Creates and closes opportunities, and ends the tenant's claim.",
    },
)
def opportunity_scan_tenant(body: ScanTask, context: Context) -> None:
    """Bring one tenant's opportunities in line with its keywords; a repeated task changes nothing."""
    scan.scan_claimed(context, body)
