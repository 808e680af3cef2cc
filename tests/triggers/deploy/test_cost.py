"""The bill: an algebra that every load obeys, figures by hand, and refusals of what is no load."""

from __future__ import annotations

import functools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ConfigurationError, DeclarationError
from triggers.deploy.cost.__main__ import main
from triggers.deploy.cost.always_on import comparisons
from triggers.deploy.cost.bill import bill_for, bill_of, fixed_part, halvings, levers
from triggers.deploy.cost.load import DEMAND, Load, idle
from triggers.deploy.cost.platform import Platform, load_platform, runs_a_month
from triggers.deploy.cost.queues import instances, lifetime, misses, room_for
from triggers.deploy.cost.sheet import PRICES_FILE, Sheet, load_services, load_sheet

LOADS = st.builds(
    Load,
    tenants=st.floats(1, 2000),
    writes_per_day=st.floats(0, 1e6),
    reads_per_day=st.floats(0, 1e7),
    documents_per_tenant=st.floats(0, 1e6),
    distinct_reads=st.floats(1, 500),
    deployments=st.floats(0, 100),
    redis_gb=st.sampled_from([0.0, 0.01, 1.0]),
    front_door=st.sampled_from(["gateway", "load_balancer"]),
    keep_warm=st.booleans(),
)
QUICK = settings(max_examples=25, deadline=None)


@functools.cache
def sheet() -> Sheet:
    return load_sheet()


@functools.cache
def platform() -> Platform:
    return load_platform()


def total(load: Load) -> float:
    return bill_of(load, sheet(), platform()).total


@QUICK
@given(load=LOADS, name=st.sampled_from(DEMAND), factor=st.floats(1, 20))
def test_more_load_never_costs_less(load: Load, name: str, factor: float) -> None:
    more = load.but(name, getattr(load, name) * factor)
    assert total(more) >= total(load) * (1 - 1e-6) - 1e-6


@QUICK
@given(load=LOADS)
def test_a_bill_is_the_sum_of_its_parts(load: Load) -> None:
    bill = bill_of(load, sheet(), platform())
    assert math.isclose(sum(line.amount for line in bill.lines), bill.total)
    assert math.isclose(sum(bill.by_service().values()), bill.total)
    assert all(line.quantity > 0 and line.amount >= 0 for line in bill.lines)
    for item, causes in bill.usage.causes.items():
        assert math.isclose(sum(causes.values()), bill.usage.items[item], abs_tol=1e-12)


@QUICK
@given(load=LOADS)
def test_without_load_only_what_is_fixed_is_paid(load: Load) -> None:
    """Nothing that tenants cause is left, and what is left is there under every load."""
    nothing = idle(load)
    bill = bill_of(nothing, sheet(), platform())
    assert bill.total == fixed_part(load, sheet(), platform()) <= total(load) + 1e-9
    caused = {"bigquery_query", "bigquery_stream", "firestore_write", "firestore_storage", "pubsub", "egress"}
    assert caused.isdisjoint(line.price.item for line in bill.lines)
    assert {line.price.item for line in bill.lines} >= {"scheduler_job", "function_invocation", "secret_version"}
    assert ("redis" in {line.price.item for line in bill.lines}) is bool(load.redis_gb)


def test_without_load_and_without_what_is_bought_nothing_is_paid_but_schedules() -> None:
    bill = bill_of(idle(Load(redis_gb=0, keep_warm=False)), sheet(), platform())
    assert {line.price.service for line in bill.lines if line.amount > 0} <= {"Artifact Registry", "Cloud Scheduler"}


@QUICK
@given(item=st.sampled_from(sorted(load_sheet().prices)), share=st.floats(0, 3), more=st.floats(0, 1e6))
def test_free_units_cost_nothing_and_the_next_one_its_price(item: str, share: float, more: float) -> None:
    price = sheet().prices[item]
    assert bill_for({item: price.free_per_month * min(share, 1)}, sheet()).total == 0
    paid = bill_for({item: price.free_per_month + more}, sheet()).total
    assert math.isclose(paid, more * price.price, rel_tol=1e-6, abs_tol=1e-6)


def test_figures_of_the_domain_study_come_out() -> None:
    """A million reads of the warehouse that name one table cost 59.6; three tables at one a second 463 a month."""
    query = sheet().prices["bigquery_query"]
    assert round(1e6 * sheet()["bytes_per_table"] / 2**40 * query.price, 1) == 59.6
    assert round(3 * 30 * 86_400 * sheet()["bytes_per_table"] / 2**40 * query.price) == 463


def test_requests_of_one_function_by_hand() -> None:
    """One reader asks 30 times a day in ten hours: 0.1 s each, never two at once, on one processor with 256 MiB."""
    entry = next(each for each in platform().readers if each["name"] == "aso-content-get")
    shares = {each["name"]: 0.0 for each in (*platform().readers, *platform().writers)} | {entry["name"]: 1.0}
    load = Load(tenants=1, writes_per_day=0, reads_per_day=30, documents_per_tenant=0, shares=shares)
    with_it, without = (
        bill_of(each, sheet(), platform()).usage.items for each in (load, replace(load, reads_per_day=0))
    )
    asked = 30 * 365 / 12
    assert math.isclose(with_it["function_cpu"] - without["function_cpu"], asked * 0.1, rel_tol=1e-3)
    assert math.isclose(with_it["function_memory"] - without["function_memory"], asked * 0.1 / 4, rel_tol=1e-3)
    assert math.isclose(with_it["firestore_read"] - without["firestore_read"], asked / 1e5)
    assert math.isclose((with_it["function_invocation"] - without["function_invocation"]) * 1e6, asked)


@pytest.mark.parametrize(
    ("cron", "a_month"), [("0 * * * *", 730), ("*/10 * * * *", 4380), ("20 2 * * *", 365 / 12), ("0 0 1 * *", 1)]
)
def test_schedules_are_counted(cron: str, a_month: float) -> None:
    assert math.isclose(runs_a_month(cron, "Etc/UTC"), a_month, rel_tol=0.01)
    assert math.isclose(runs_a_month(cron, "Europe/Berlin"), a_month, rel_tol=0.01)


@given(st.floats(0, 500), st.integers(1, 100))
@QUICK
def test_busy_instances_lie_between_packed_and_alone(in_flight: float, concurrency: int) -> None:
    """At least what a full packing needs and what one request at a time occupies; at most one for each request."""
    mean = instances(in_flight, concurrency)
    assert in_flight / concurrency - 1e-9 <= mean <= in_flight + 1e-9
    assert mean >= -math.expm1(-in_flight) - 1e-9
    assert math.isclose(instances(in_flight, 1), in_flight, rel_tol=1e-9, abs_tol=1e-12)


def test_many_requests_in_flight_follow_the_same_curve() -> None:
    assert math.isclose(instances(999_999, 16), instances(1_000_001, 16), rel_tol=1e-5)


@QUICK
@given(rate=st.floats(1e-6, 1e3), keys=st.floats(1, 5000), exponent=st.floats(0, 1.5), served=st.floats(0, 1e5))
def test_a_cache_answers_what_it_can(rate: float, keys: float, exponent: float, served: float) -> None:
    """Every key misses at least once a lifetime while it is asked, and nobody misses more often than he asks."""
    missed = misses(rate, keys, exponent, served)
    assert 0 <= missed <= rate * (1 + 1e-9)
    assert misses(rate, keys, exponent, 0) == pytest.approx(rate)
    assert missed >= rate / (1 + rate * served) * (1 - 1e-9), "one key alone is answered best"


def test_one_key_is_missed_once_a_lifetime() -> None:
    assert misses(1.0, 1, 0.9, 299.0) == pytest.approx(1 / 300)
    assert lifetime(300, 0, math.inf) == 300
    assert lifetime(300, 1, math.inf) == pytest.approx(1.0)
    assert lifetime(300, 0, 20) == 20


@QUICK
@given(keys=st.integers(2, 400), exponent=st.floats(0, 1.2), part=st.floats(0.05, 0.9), rate=st.floats(0.01, 100))
def test_a_full_cache_holds_what_has_room(keys: int, exponent: float, part: float, rate: float) -> None:
    """Che's approximation: after the characteristic time as many keys were asked as have room."""
    room = room_for(rate, keys, exponent, keys * part)
    weights = [rank**-exponent for rank in range(1, keys + 1)]
    kept = sum(-math.expm1(-rate * weight / sum(weights) * room) for weight in weights)
    assert kept == pytest.approx(keys * part, rel=1e-3)
    assert room_for(rate, keys, exponent, keys) == math.inf


def test_redis_answers_more_than_nothing_and_less_than_all() -> None:
    cached = bill_of(Load(), sheet(), platform()).usage.hit_rates
    known = {namespace.name: namespace for namespace in platform().namespaces}
    assert {known[name].source for name in cached} == {"firestore", "warehouse"}
    assert all(0 < rate < 1 for rate in cached.values())
    assert set(bill_of(Load(redis_gb=0), sheet(), platform()).usage.hit_rates.values()) == {0.0}
    crowded = bill_of(Load(redis_gb=1e-6), sheet(), platform()).usage.hit_rates
    assert all(crowded[name] < rate for name, rate in cached.items()), "a small cache pushes out what it would serve"


def test_what_halves_the_bill_does_so() -> None:
    load = Load()
    goal = total(load) / 2
    found = {each.name: each.value for each in halvings(load, sheet(), platform()) if each.value is not None}
    assert found
    for name, value in found.items():
        assert total(load.but(name, value)) == pytest.approx(goal, rel=1e-3)
    best = levers(load, sheet(), platform())[0]
    assert best.total < total(load)


def test_services_that_are_always_on_cost_more_than_at_zero() -> None:
    zero, on, all_of_them = comparisons(idle(Load()), sheet(), platform(), load_services())
    assert (zero.services, all_of_them.services) == (on.services, 48)
    assert zero.bill.total < on.bill.total < all_of_them.bill.total
    month, tier = 365 / 12 * 86_400, load_services().services[0]
    always = on.services * month * (tier.cpu * 0.000018 + tier.memory_mib / 1024 * 0.000002)
    running = sum(line.amount for line in on.bill.lines if line.price.service == "Cloud Run services")
    assert running == pytest.approx(always)


def test_every_price_is_dated_and_says_where_it_is_from() -> None:
    for price in sheet().prices.values():
        assert price.source
        assert price.as_of.year >= 2018
        assert ("memory" in price.source) is (price.kind == "memory"), price.item


def test_the_command_prints_a_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tenants", "100", "--writes-per-day", "50000"]) == 0
    text = capsys.readouterr().out
    assert "What dominates" in text
    assert "Halves the bill" in text
    assert "document 004" in text
    assert main(["--tenants", "100", "--writes-per-day", "50000", "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["total"] == pytest.approx(sum(line["amount"] for line in found["lines"]))
    assert f"{found['total']:,.2f}" in text
    assert found["load"]["writes_per_day"] == 50_000


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--tenants", "-1"], "--tenants is -1"),
        (["--writes-per-day", "nan"], "--writes-per-day is nan"),
        (["--reads-per-day", "1e300"], "--reads-per-day is 1e+300"),
        (["--tenants", "0"], "nobody else reads or writes"),
        (["--front-door", "window"], "--front-door is 'window'"),
        (["--share", "aso-content-get"], "NAME=NUMBER"),
        (["--share", "nobody=1"], "no operation of tenants"),
        (["--share", "aso-content-get=-1"], "a weight of 0 or more"),
        (["--assume", "luck=1"], "there is no assumption 'luck'"),
        (["--assume", "zipf=-1"], "0 or more"),
    ],
)
def test_what_is_no_load_is_refused(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('"price": 0.4,', '"price": -0.4,', "price is -0.4"),
        ('"price": 0.4,', '"price": "dear",', "price is 'dear'"),
        ('"as_of": "2025-08-31"', '"as_of": "soon"', "as_of is no day: 'soon'"),
        ('"kind": "memory"', '"kind": "rumour"', "kind is one of"),
        ('"item": "redis"', '"item": "connector"', "missing or twice"),
        ('"region": "global",', "", "missing or unknown: region"),
        ('"currency": "USD"', '"currency": "EUR"', "one is due"),
        ("[", "", "this is no JSON"),
    ],
)
def test_a_wrong_price_sheet_is_refused_with_its_line(tmp_path: Path, before: str, after: str, told: str) -> None:
    file = tmp_path / "prices.json"
    text = PRICES_FILE.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(DeclarationError, match=r"^prices.json:\d+: ") as refused:
        load_sheet(file)
    assert told in str(refused.value)


def test_an_assumption_that_nobody_makes_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="there is no assumption"):
        load_sheet(given={"luck": 1})
