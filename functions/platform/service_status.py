"""Check what the platform depends on."""

from common.context import Context
from common.platform import health
from common.platform.models import ServiceStatus
from triggers import http


@http.get(
    "/v1/platform/status",
    scope="platform:read",
    tenancy="platform",
    timeout=30,
    needs={
        "firestore:read": "reads one document to see whether Firestore answers",
        "bigquery:read": "lists one data set to see whether BigQuery answers",
        "redis:use": "pings Redis",
    },
)
def service_status(context: Context) -> ServiceStatus:
    """Ask Firestore, BigQuery and Redis for a sign of life, each with its latency (document 000, ``service_status``).

    Firestore is what every operation needs: without it the platform is ``unhealthy``. Without BigQuery or Redis it is
    ``degraded``: slower, or without analysis.
    """
    return health.service_status(context)
