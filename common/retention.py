"""How long each kind of record is kept: the classes that entities name, with their bounds, reasons and sources.

An entity names its class (``Entity.retention``) and the field that its age is counted from (``Entity.aged_by``). The
tenant may choose another period within the bounds of a class; nothing else about a class can be chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

PURPOSE = "platform-retention"
"""Purpose of the marks (``common.warehouse.marks``) on tenants with something whose time is over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionClass:
    """A period of retention.

    Attributes:
        name: Snake_case name, as entities give it.
        days: Days for which a record is kept unless the tenant chose otherwise; None keeps it until the tenant is
            deleted, or until somebody deletes the record.
        shortest: Fewest days a tenant may choose.
        longest: Most days a tenant may choose.
        reason: Why records of the class are kept that long, in a sentence.
        source: Where the period comes from.
    """

    name: str
    days: int | None
    shortest: int | None
    longest: int | None
    reason: str
    source: str

    @property
    def ends(self) -> bool:
        """Whether records of the class go by age."""
        return self.days is not None

    def allows(self, days: int) -> bool:
        """Tell whether a tenant may choose a number of days."""
        return self.shortest is not None and self.longest is not None and self.shortest <= days <= self.longest


_CLASSES = (
    RetentionClass(
        name="tenant_life",
        days=None,
        shortest=None,
        longest=None,
        reason="What the tenant works with stays until the tenant deletes it, or is deleted.",
        source="document 002, Retention Policies: content and users indefinite",
    ),
    RetentionClass(
        name="operational",
        days=90,
        shortest=7,
        longest=365,
        reason="Traces of finished work help to explain it for a while and serve nobody afterwards.",
        source="document 000, Data Retention Policies: operational data 90 days",
    ),
    RetentionClass(
        name="analytics",
        days=730,
        shortest=90,
        longest=2555,
        reason="Measurements are compared with the same time of the year before.",
        source="document 002, Retention Policies: events 2 years active and 5 archived; document 000: configurable, "
        "90 days at least",
    ),
    RetentionClass(
        name="security",
        days=730,
        shortest=400,
        longest=2555,
        reason="Who did what has to be found out long after it happened.",
        source="document 002, Retention Policies: events 2 years active and 5 archived; no shorter than the 400 days "
        "for which Google Cloud keeps its own records of administration",
    ),
    RetentionClass(
        name="personal",
        days=365,
        shortest=30,
        longest=1095,
        reason="Data about a person that no contract, no account and no proof needs any more.",
        source="GDPR art. 5(1)(e): no longer than is necessary",
    ),
    RetentionClass(
        name="accountability",
        days=1095,
        shortest=1095,
        longest=3650,
        reason="Proof that people's rights were respected, for as long as somebody could doubt it in court.",
        source="GDPR art. 5(2), 7(1) and 17(3)(e); three years as in section 195 of the German civil code",
    ),
)

CLASSES: Mapping[str, RetentionClass] = MappingProxyType({each.name: each for each in _CLASSES})
"""Every class by name."""


def period(name: str, chosen: Mapping[str, int]) -> timedelta | None:
    """Return how long records of a class are kept; None as long as the tenant lives.

    Args:
        name: Name of the class.
        chosen: Days by class that the tenant chose; what the class does not allow counts as its nearest bound.

    Raises:
        KeyError: There is no such class.
    """
    each = CLASSES[name]
    if each.days is None or each.shortest is None or each.longest is None:
        return None
    return timedelta(days=min(max(chosen.get(name, each.days), each.shortest), each.longest))


def cutoff(name: str, chosen: Mapping[str, int], now: datetime) -> datetime | None:
    """Return the moment before which records of a class are over; None where they do not go by age."""
    kept = period(name, chosen)
    return None if kept is None else now.astimezone(UTC) - kept


def is_over(name: str, chosen: Mapping[str, int], age_from: datetime | None, now: datetime) -> bool:
    """Tell whether a record has to go; one without the time that its age is counted from never does."""
    limit = cutoff(name, chosen, now)
    return limit is not None and age_from is not None and age_from < limit
