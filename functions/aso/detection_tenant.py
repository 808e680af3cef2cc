"""Scan one tenant with one detector."""

from common.aso.detectors import tenant_scan
from common.aso.detectors.models import DetectionTask
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
        "bigquery:read": "Asks what the detector finds.",
        "firestore:write": "Creates and closes opportunities, and ends the tenant's claim.",
    },
)
def detection_tenant(body: DetectionTask, context: Context) -> None:
    """Bring one tenant's opportunities of one kind in line with what is found; a repeated task changes nothing."""
    tenant_scan.scan_claimed(context, body)
