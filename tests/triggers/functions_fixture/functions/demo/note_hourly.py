"""Run every hour."""

from common.context import Context
from common.deliveries import ScheduledRun
from triggers import schedule

HEARD: list[tuple[ScheduledRun, Context]] = []


@schedule.cron("0 * * * *")
def note_hourly(run: ScheduledRun, context: Context) -> None:
    """Keep it."""
    HEARD.append((run, context))
