"""Bring the traffic of one tenant's content up to date."""

from common.aso.performance import traffic
from common.aso.performance.traffic import TrafficTask
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
        "bigquery:read": "Compares the visits of pages with what content says.",
        "firestore:write": "Stores the traffic of the content that differs, and ends the tenant's claim.",
    },
)
def content_traffic_tenant(body: TrafficTask, context: Context) -> None:
    """Set `monthly_traffic` of published content to the visits of its page in 30 days; repeating changes nothing."""
    traffic.fold_claimed(context, body)
