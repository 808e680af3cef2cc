"""What checks cost, reserved before a provider is called and settled after: the limits hold whatever happens between.

A reservation counts as spent from the moment it is made, at the most the checks can cost. Settling replaces it by what
they did cost, which is never more. A worker that crashes leaves its reservation behind, counted: the ledger errs on the
side of having spent too much, never too little. A reservation made again under its name (a repeated task) is the one
that is there. Everything counts for the UTC day and month of its reservation, also where it is settled later.

Money is counted in thousandths of a minor unit, so that prices of a thousand pages are whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

MILLI = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What checks cost.

    Attributes:
        checks: Checks.
        milli: Thousandths of a minor unit.
    """

    checks: int = 0
    milli: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(checks=self.checks + other.checks, milli=self.milli + other.milli)

    def __sub__(self, other: Spent) -> Spent:
        return Spent(checks=self.checks - other.checks, milli=self.milli - other.milli)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What may be spent; None is no limit."""

    checks_per_day: int | None = None
    checks_per_month: int | None = None
    milli_per_day: int | None = None
    milli_per_month: int | None = None

    def room(self, day: Spent, month: Spent, price: int) -> int | None:
        """Return how many checks of a price fit; None without any limit."""
        rooms = [
            *(_left(self.checks_per_day, day.checks, 1), _left(self.checks_per_month, month.checks, 1)),
            *(_left(self.milli_per_day, day.milli, price), _left(self.milli_per_month, month.milli, price)),
        ]
        return min((room for room in rooms if room is not None), default=None)


def _left(limit: int | None, spent: int, price: int) -> int | None:
    if limit is None or price == 0:
        return None
    return max(0, limit - spent) // price


@dataclass(frozen=True, kw_only=True, slots=True)
class Reservation:
    """Checks that may be made.

    Attributes:
        day: ``YYYY-MM-DD`` for which it counts.
        most: What it counts as until it is settled.
    """

    day: str
    most: Spent


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """What a tenant spends in one month; every change returns a new one.

    Attributes:
        days: Spent by day, reservations included.
        reservations: Not settled yet, by name.
    """

    days: Mapping[str, Spent] = field(default_factory=dict)
    reservations: Mapping[str, Reservation] = field(default_factory=dict)

    @property
    def month(self) -> Spent:
        """Spent in the month, reservations included."""
        return sum(self.days.values(), Spent())

    def day(self, day: str) -> Spent:
        """Spent on a day, reservations included."""
        return self.days.get(day, Spent())

    def reserve(self, name: str, day: str, checks: int, price: int, limits: Limits) -> tuple[Ledger, int]:
        """Reserve as many of the checks as the limits leave room for.

        Args:
            name: Names the reservation; one that is there already is returned as it is.
            day: For which day, of this ledger's month.
            checks: How many at most.
            price: What one costs at most, in thousandths of a minor unit.
            limits: What may be spent.

        Returns:
            The ledger, and how many checks are reserved.
        """
        if name in self.reservations:
            return self, self.reservations[name].most.checks
        room = limits.room(self.day(day), self.month, price)
        granted = checks if room is None else min(checks, room)
        if granted <= 0:
            return self, 0
        most = Spent(checks=granted, milli=granted * price)
        held = {**self.reservations, name: Reservation(day=day, most=most)}
        return replace(self, days={**self.days, day: self.day(day) + most}, reservations=held), granted

    def settle(self, name: str, spent: Spent) -> Ledger:
        """Replace a reservation by what was spent of it; settling twice changes nothing."""
        held = self.reservations.get(name)
        if held is None:
            return self
        actual = Spent(checks=min(spent.checks, held.most.checks), milli=min(spent.milli, held.most.milli))
        days = {**self.days, held.day: self.day(held.day) - held.most + actual}
        rest = {each: reservation for each, reservation in self.reservations.items() if each != name}
        return replace(self, days=days, reservations=rest)

    def packed(self) -> dict[str, Any]:
        """Return the ledger as a document has it."""
        return {
            "days": {day: [spent.checks, spent.milli] for day, spent in self.days.items()},
            "reservations": {
                name: {"day": each.day, "checks": each.most.checks, "milli": each.most.milli}
                for name, each in self.reservations.items()
            },
        }

    @classmethod
    def unpacked(cls, fields: Mapping[str, Any] | None) -> Ledger:
        """Return the ledger of a document; an empty one where there is none."""
        fields = fields or {}
        return cls(
            days={day: Spent(checks=spent[0], milli=spent[1]) for day, spent in fields.get("days", {}).items()},
            reservations={
                name: Reservation(day=each["day"], most=Spent(checks=each["checks"], milli=each["milli"]))
                for name, each in fields.get("reservations", {}).items()
            },
        )
