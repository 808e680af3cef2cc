"""Every day, start the rotation of the data keys that are due."""

from common.context import Context
from common.crypto import rotation
from triggers import schedule


@schedule.cron(
    "40 3 * * *",
    needs={
        "firestore:read": "Finds the tenants whose keys were not wrapped anew for a month.",
        "tasks:enqueue:platform-data-key-rotate": "Makes one task for each of them.",
    },
    timeout=300,
    max_instances=1,
)
def data_key_rotation(context: Context) -> None:
    """Make one task for every tenant whose data keys were not wrapped anew for 30 days; a second run makes none."""
    rotation.start_due(context)
