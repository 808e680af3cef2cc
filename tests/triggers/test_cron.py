"""Cron expressions: which minutes they name, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.cron import FIELDS, parse_cron

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)


def fires(expression: str, days: int = 1) -> list[str]:
    """Return the minutes of the days from a Monday on at which the schedule fires."""
    cron = parse_cron(expression)
    minutes = (MONDAY + timedelta(minutes=minute) for minute in range(days * 24 * 60))
    return [moment.strftime("%d %H:%M") for moment in minutes if cron.matches(moment)]


@pytest.mark.parametrize(
    ("expression", "first", "count"),
    [
        ("* * * * *", "01 00:00", 1440),
        ("0 * * * *", "01 00:00", 24),
        ("*/20 8-9 * * *", "01 08:00", 6),
        ("5/30 0 * * *", "01 00:05", 2),
        ("15,45 3 * jun mon", "01 03:15", 2),
        ("0 0 1 6 *", "01 00:00", 1),
        ("10-14/2 23 * * *", "01 23:10", 3),
    ],
)
def test_names_its_minutes(expression: str, first: str, count: int) -> None:
    found = fires(expression)
    assert (found[0], len(found)) == (first, count)


def test_sunday_is_zero_and_seven() -> None:
    assert fires("0 0 * * 0", 14) == fires("0 0 * * 7", 14) == fires("0 0 * * sun", 14) == ["07 00:00", "14 00:00"]


def test_either_day_field_is_enough_where_both_are_restricted() -> None:
    assert fires("0 0 3 * wed", 10) == ["03 00:00", "10 00:00"]
    assert fires("0 0 4 * wed", 10) == ["03 00:00", "04 00:00", "10 00:00"]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("* * * *", "4 fields"),
        ("60 * * * *", "minute: '60'"),
        ("* 24 * * *", "hour: '24'"),
        ("* * 0 * *", "day of month: '0'"),
        ("* * * 13 *", "month: '13'"),
        ("* * * * 8", "day of week: '8'"),
        ("*/0 * * * *", "minute: '0'"),
        ("30-10 * * * *", "runs backwards"),
        ("1,, * * * *", "minute: ''"),
        ("mon * * * *", "minute: 'mon'"),
        ("@hourly", "1 fields"),
        ("٣ * * * *", "minute"),
    ],
)
def test_anything_else_is_refused_with_its_field(expression: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_cron(expression)


@given(st.tuples(*(st.integers(low, high) for _, low, high in FIELDS[:4])))
def test_one_value_per_field_is_one_minute_a_year(chosen: tuple[int, ...]) -> None:
    minute, hour, day, month = chosen
    cron = parse_cron(f"{minute} {hour} {day} {month} *")
    moment = datetime(2024, 1, 1, hour, minute, tzinfo=UTC)
    matching = [
        moment + timedelta(days=offset) for offset in range(366) if cron.matches(moment + timedelta(days=offset))
    ]
    expected = [found for found in matching if (found.day, found.month) == (day, month)]
    assert matching == expected
    assert len(matching) <= 1
    assert matching or day > 29
