"""Read a Unix cron expression of five fields: whether it is one, and which minutes it names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cron:
    """A parsed expression.

    Attributes:
        minutes: Minutes it names; and so on for the other fields. Sunday is 0.
        any_day: Whether the day-of-month field begins with ``*``.
        any_weekday: Whether the day-of-week field begins with ``*``.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def matches(self, moment: datetime) -> bool:
        """Tell whether the schedule fires in the minute of ``moment`` (already in the schedule's time zone).

        Where both day fields are restricted either one is enough, as cron(8) has it.
        """
        day = moment.day in self.days
        weekday = moment.isoweekday() % 7 in self.weekdays
        right_day = (day and weekday) if self.any_day or self.any_weekday else (day or weekday)
        return moment.minute in self.minutes and moment.hour in self.hours and moment.month in self.months and right_day


def parse_cron(expression: str) -> Cron:
    """Parse an expression such as ``*/15 8-18 * * mon-fri``.

    Raises:
        ValueError: It is not a cron expression; the message names the field.
    """
    parts = expression.split()
    if len(parts) != len(FIELDS):
        raise ValueError(f"{expression!r} has {len(parts)} fields; cron has five")
    sets = [
        _field(part, name, low, high, MONTHS if name == "month" else WEEKDAYS if name == "day of week" else ())
        for part, (name, low, high) in zip(parts, FIELDS, strict=True)
    ]
    minutes, hours, days, months, weekdays = sets
    return Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        any_day=parts[2].startswith("*"),
        any_weekday=parts[4].startswith("*"),
    )


def _field(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> frozenset[int]:
    values: set[int] = set()
    for item in text.lower().split(","):
        base, slash, step_text = item.partition("/")
        step = _number(step_text, name, 1, high, ()) if slash else 1
        if base == "*":
            first, last = low, high
        elif "-" in base:
            first, last = (_number(bound, name, low, high, names) for bound in base.split("-", 1))
            if first > last:
                raise ValueError(f"{name}: {base!r} runs backwards")
        else:
            first = _number(base, name, low, high, names)
            last = high if slash else first
        values.update(range(first, last + 1, step))
    return frozenset(values)


def _number(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text in names:
        return names.index(text) + (1 if names is MONTHS else 0)
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise ValueError(f"{name}: {text!r} is not between {low} and {high}")
    return int(text)
