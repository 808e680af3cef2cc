"""The budget of a tenant: its ledger as one document a month, changed in transactions; Redis has no part in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from common import technical
from common.aso.site.models import Budget
from common.aso.tracking.deployment import Deployment
from common.aso.tracking.ledger import MILLI, Ledger, Limits, Spent
from common.context import Context
from common.technical import RANK_BUDGETS

Fields = dict[str, Any]
KEPT = timedelta(days=400)


def limits_of(deployment: Deployment, budget: Budget) -> Limits:
    """Return what a tenant may spend: the lower one of its own limit and the deployment's."""

    def lower(own: int | None, given: int | None, factor: int = 1) -> int | None:
        return min((each * factor for each in (own, given) if each is not None), default=None)

    return Limits(
        checks_per_day=lower(budget.checks_per_day, deployment.checks_per_day),
        checks_per_month=lower(budget.checks_per_month, deployment.checks_per_month),
        milli_per_day=lower(budget.spend_per_day_minor, deployment.spend_per_day_minor, MILLI),
        milli_per_month=lower(budget.spend_per_month_minor, deployment.spend_per_month_minor, MILLI),
    )


def ledger_of(context: Context, now: datetime) -> Ledger:
    """Return the ledger of the month.

    Raises:
        Unavailable: Firestore does not answer.
    """
    found = technical.read(context, _path(context, _day(now)))
    return Ledger.unpacked(None if found is None else found[0])


def room(context: Context, limits: Limits, price: int, now: datetime) -> int | None:
    """Return how many more checks of a price fit today; None without any limit."""
    ledger = ledger_of(context, now)
    return limits.room(ledger.day(_day(now)), ledger.month, price)


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """What was reserved.

    Attributes:
        checks: How many checks may be made.
        again: The reservation was there: an earlier run made it and did not settle.
    """

    checks: int
    again: bool


def reserve(context: Context, name: str, checks: int, price: int, limits: Limits, now: datetime) -> Granted:
    """Reserve as many checks as there is room for, before any provider is called.

    Args:
        context: Whose budget.
        name: Names the reservation; the same name again returns the same one.
        checks: How many at most.
        price: What one costs at most, in thousandths of a minor unit.
        limits: What may be spent.
        now: Whose UTC day it counts for.

    Raises:
        Unavailable: Firestore does not answer; nothing may be spent.
    """
    day = _day(now)

    def change(fields: Fields | None) -> tuple[Fields | None, Granted]:
        ledger = Ledger.unpacked(fields)
        after, granted = ledger.reserve(name, day, checks, price, limits)
        again = name in ledger.reservations
        return (None if after is ledger else _document(context, after, now)), Granted(checks=granted, again=again)

    return technical.changed(context, _path(context, day), change)


def settle(context: Context, name: str, spent: Spent, reserved_at: datetime) -> None:
    """Replace a reservation by what was spent.

    Args:
        context: Whose budget.
        name: Of the reservation.
        spent: What the checks cost.
        reserved_at: As given when it was reserved: tells the month.
    """

    def change(fields: Fields | None) -> tuple[Fields | None, None]:
        ledger = Ledger.unpacked(fields)
        after = ledger.settle(name, spent)
        return (None if after is ledger else _document(context, after, reserved_at)), None

    technical.changed(context, _path(context, _day(reserved_at)), change)


def _day(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()


def _path(context: Context, day: str) -> str:
    return f"{RANK_BUDGETS.path}/{context.tenant_id}:{day[:7]}"


def _document(context: Context, ledger: Ledger, now: datetime) -> Fields:
    return {"tenant_id": context.tenant_id, "expires_at": now + KEPT, **ledger.packed()}
