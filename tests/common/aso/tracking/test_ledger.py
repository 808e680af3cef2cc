"""The ledger: no order of reserving, settling and crashing spends more than the limits."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from common.aso.site.models import Budget
from common.aso.tracking.budget import limits_of
from common.aso.tracking.deployment import Deployment
from common.aso.tracking.ledger import Ledger, Limits, Spent

LIMITS = Limits(checks_per_day=12, checks_per_month=20, milli_per_day=9000, milli_per_month=15_000)
DAYS = ("2026-11-29", "2026-11-30")


class Workers(RuleBasedStateMachine):
    """Workers that reserve, pay, settle, crash, repeat themselves; the ledger and what was truly paid."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.held: dict[str, tuple[str, int, int]] = {}
        self.paid: dict[str, Spent] = {day: Spent() for day in DAYS}

    @rule(
        name=st.sampled_from("abcdef"), day=st.sampled_from(DAYS), checks=st.integers(1, 9), price=st.integers(0, 3000)
    )
    def reserve(self, name: str, day: str, checks: int, price: int) -> None:
        before = self.ledger
        self.ledger, granted = before.reserve(name, day, checks, price, LIMITS)
        if name in self.held:
            assert self.ledger is before
            assert granted == self.held[name][1]
        elif granted:
            assert granted <= checks
            self.held[name] = (day, granted, price)
        self.ledger = Ledger.unpacked(self.ledger.packed())

    @rule(name=st.sampled_from("abcdef"), share=st.floats(0, 1), checks=st.integers(0, 9))
    def pay_and_settle(self, name: str, share: float, checks: int) -> None:
        if name not in self.held:
            before = self.ledger
            assert before.settle(name, Spent(checks=9, milli=10**6)) is before
            return
        day, granted, price = self.held.pop(name)
        made = min(checks, granted)
        spent = Spent(checks=made, milli=int(made * price * share))
        self.paid[day] += spent
        self.ledger = self.ledger.settle(name, spent)

    @rule(name=st.sampled_from("abcdef"))
    def pay_and_crash(self, name: str) -> None:
        """The worker spends everything it may and never settles."""
        if name in self.held:
            day, granted, price = self.held.pop(name)
            self.paid[day] += Spent(checks=granted, milli=granted * price)
            lost = self.ledger.reservations[name]
            others = {each: kept for each, kept in self.ledger.reservations.items() if each != name}
            self.ledger = Ledger(days=self.ledger.days, reservations={**others, f"lost-{id(lost)}": lost})

    @invariant()
    def nothing_is_overspent(self) -> None:
        for day in DAYS:
            assert self.paid[day].checks <= 12
            assert self.paid[day].milli <= 9000
        month = self.paid[DAYS[0]] + self.paid[DAYS[1]]
        assert month.checks <= 20
        assert month.milli <= 15_000

    @invariant()
    def the_ledger_never_knows_of_less_than_was_paid(self) -> None:
        for day in DAYS:
            assert self.ledger.day(day).checks >= self.paid[day].checks
            assert self.ledger.day(day).milli >= self.paid[day].milli


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@given(st.integers(0, 50), st.integers(0, 500))
def test_what_is_settled_makes_room_again(checks: int, price: int) -> None:
    ledger, granted = Ledger().reserve("one", DAYS[0], checks, price, LIMITS)
    after = ledger.settle("one", Spent())
    assert after.month == Spent()
    assert after.reserve("two", DAYS[0], checks, price, LIMITS)[1] == granted


def test_settling_for_more_than_was_reserved_counts_what_was_reserved() -> None:
    ledger, _ = Ledger().reserve("one", DAYS[0], 2, 100, LIMITS)
    assert ledger.settle("one", Spent(checks=5, milli=10**6)).month == Spent(checks=2, milli=200)


def test_the_lower_one_of_two_limits_holds_and_none_is_none() -> None:
    budget = Budget(checks_per_day=100, spend_per_month_minor=50)
    limits = limits_of(Deployment(checks_per_day=10, checks_per_month=1000), budget)
    expected: dict[str, Any] = {"checks_per_day": 10, "checks_per_month": 1000, "milli_per_month": 50_000}
    assert limits == Limits(**expected)
    assert Limits().room(Spent(checks=10**9), Spent(), 10) is None
    assert limits.room(Spent(checks=3, milli=0), Spent(checks=3, milli=49_000), 500) == 2
