"""Fetch search performance from Search Console every day."""

from common.aso.search_console_api import start
from common.context import Context
from triggers import schedule


@schedule.cron(
    "30 10 * * *",
    timeout=540,
    max_instances=1,
    needs={"firestore:write": "Finds the tenants with a property and stores one job for each."},
)
def search_console_sync(context: Context) -> None:
    """Start one job for every tenant whose settings name a Search Console property.

    At 10:30 UTC, when the day of Search Console, which is Pacific, has begun.
    """
    start.start_daily(context)
