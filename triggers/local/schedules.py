"""Cloud Scheduler: fires the schedules of the manifest, each minute that its expression names or by hand."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from triggers.cron import parse_cron
from triggers.local.deliveries import Call, Delivery, Dispatcher, Policy
from triggers.local.functions import LocalFunction, Schedule, declared
from triggers.local.identity import Addresses

MINUTE = timedelta(minutes=1)
EVERY_HOUR = 24


def is_due(schedule: Schedule, moment: datetime) -> bool:
    """Tell whether a schedule fires in the minute of ``moment``.

    Where clocks go back, the hour that comes twice fires a schedule of fixed hours the first time only; one that runs
    every hour fires both times. Where they go forward, what falls in the missing hour does not fire that day.
    """
    local = moment.astimezone(ZoneInfo(schedule.time_zone))
    cron = parse_cron(schedule.cron)
    if local.fold and len(cron.hours) < EVERY_HOUR:
        return False
    return cron.matches(local)


class Scheduler:
    """Fires schedules through the dispatcher."""

    def __init__(
        self, functions: list[LocalFunction], dispatcher: Dispatcher, addresses: Addresses, *, retry_scale: float
    ) -> None:
        self._schedules = {function.name: declaration for function, declaration in declared(functions, Schedule)}
        self._dispatcher = dispatcher
        self._addresses = addresses
        self._scale = retry_scale
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    @property
    def names(self) -> list[str]:
        """Functions with a schedule."""
        return sorted(self._schedules)

    def start(self) -> None:
        """Begin to fire at the minutes the expressions name."""
        self._thread.start()

    def stop(self) -> None:
        """Fire no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def fire(self, name: str, moment: datetime | None = None) -> None:
        """Run a schedule now.

        Args:
            name: Function of the schedule.
            moment: The minute the run stands for; now where it is fired by hand.

        Raises:
            KeyError: There is no such schedule.
        """
        schedule = self._schedules[name]
        stands_for = (moment or datetime.now(UTC)).astimezone(UTC)
        headers = {
            "x-cloudscheduler": "true",
            "x-cloudscheduler-jobname": name,
            "x-cloudscheduler-scheduletime": stands_for.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "content-type": "application/octet-stream",
            "user-agent": "Google-Cloud-Scheduler",
        }

        def compose(_delivery: Delivery) -> Call:
            return Call(
                url=self._addresses.url(name),
                headers={**headers, "authorization": self._addresses.authorization(name)},
            )

        self._dispatcher.submit(
            Delivery(
                function=name,
                kind="schedule",
                identity=f"{name}@{stands_for.isoformat()}",
                compose=compose,
                policy=Policy(minimum=5, maximum=3600, attempts=schedule.attempts, doublings=5).scaled(self._scale),
                timeout=schedule.timeout,
            )
        )

    def _run(self) -> None:
        minute = datetime.now(UTC).replace(second=0, microsecond=0) + MINUTE
        while not self._stop.wait(max(0.0, (minute - datetime.now(UTC)).total_seconds())):
            for name, schedule in self._schedules.items():
                if is_due(schedule, minute):
                    self.fire(name, minute)
            minute += MINUTE
