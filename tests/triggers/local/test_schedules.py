"""When schedules fire, also on the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from triggers.declaration import Schedule
from triggers.local.schedules import is_due

BERLIN = "Europe/Berlin"


def fired(schedule: Schedule, day: datetime) -> list[datetime]:
    """Return every minute of a UTC day and the hours around it at which a schedule fires."""
    begin = day.replace(tzinfo=UTC) - timedelta(hours=3)
    minutes = (begin + timedelta(minutes=minute) for minute in range(30 * 60))
    return [minute for minute in minutes if is_due(schedule, minute)]


def test_an_hourly_schedule_fires_on_the_hour() -> None:
    hourly = Schedule(cron="0 * * * *")
    assert is_due(hourly, datetime(2026, 5, 1, 7, 0, tzinfo=UTC))
    assert not is_due(hourly, datetime(2026, 5, 1, 7, 1, tzinfo=UTC))


def test_the_time_zone_counts() -> None:
    nine = Schedule(cron="0 9 * * mon-fri", time_zone=BERLIN)
    assert is_due(nine, datetime(2026, 7, 1, 7, 0, tzinfo=UTC))
    assert is_due(nine, datetime(2026, 12, 1, 8, 0, tzinfo=UTC))
    assert not is_due(nine, datetime(2026, 7, 4, 7, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("cron", "day", "times"),
    [
        ("30 2 * * *", datetime(2026, 10, 25), 1),  # noqa: DTZ001 - a calendar day
        ("30 2 * * *", datetime(2026, 3, 29), 0),  # noqa: DTZ001
        ("30 2 * * *", datetime(2026, 3, 28), 1),  # noqa: DTZ001
    ],
)
def test_a_fixed_hour_fires_once_where_it_comes_twice(cron: str, day: datetime, times: int) -> None:
    schedule = Schedule(cron=cron, time_zone=BERLIN)
    local_day = [each for each in fired(schedule, day) if each.astimezone(UTC).date() == day.date()]
    assert len(local_day) == times


def test_an_hourly_schedule_fires_in_both_of_the_twin_hours() -> None:
    schedule = Schedule(cron="0 * * * *", time_zone=BERLIN)
    assert len(fired(schedule, datetime(2026, 10, 25))) == 30  # noqa: DTZ001
