"""Recording and reading search performance: idempotent, undone exactly, woken and added up as a spreadsheet would."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from common.aso.normalize import keyword_id_of
from common.aso.performance import read
from common.aso.performance.models import PerformanceRow
from common.aso.performance.read_models import Performance, PerformanceQuery
from common.aso.performance.record import declared, fact_rows, page_key_of, record, retract, row_id_of
from common.clients.bigquery import bigquery_client
from common.clients.registry import Clients
from common.context import Context
from common.warehouse.marks import due
from common.warehouse.provision import provision_tenant
from tests.common.aso.scan.conftest import context_for

DAY = date(2026, 3, 2)
"""A Monday."""


@pytest.fixture(scope="module")
def provisioned(clients: Clients) -> str:
    """A tenant with tables, for the module."""
    context = context_for(clients, f"t{uuid.uuid4().hex[:10]}")
    provision_tenant(context, context.tenant_id)
    return context.tenant_id


@pytest.fixture
def tenant(clients: Clients, provisioned: str) -> Context:
    """The tenant without facts."""
    return emptied(context_for(clients, provisioned))


def emptied(context: Context) -> Context:
    """Remove all facts of a tenant."""
    for relation in ("search_performance", "search_performance_batches"):
        name = f"{context.clients.settings.project}.aso_tenant_{context.tenant_id}.{relation}"
        context.clients.get(bigquery_client).query_and_wait(f"DELETE FROM `{name}` WHERE TRUE")
    return context


def row(day: int = 0, **fields: Any) -> PerformanceRow:
    """Return a row about a day after ``DAY``."""
    told = {"clicks": 1, "impressions": 10, "position": 2.0, "source": "test", "date": str(DAY + timedelta(days=day))}
    return PerformanceRow.model_validate(told | fields)


def asked(context: Context, **fields: Any) -> Performance:
    """Return an answer past the cache."""
    query = PerformanceQuery.model_validate({"from": str(DAY), "to": str(DAY + timedelta(days=13)), **fields})
    return read.compute(context, query, *read.range_of(query))


def clicks(answer: Performance) -> dict[str, int]:
    return {item.key: item.clicks for item in answer.items}


def test_recording_again_changes_nothing_and_undoing_leaves_what_was_before(tenant: Context) -> None:
    first = [row(query="shoes", clicks=3), row(query="boots", clicks=2)]
    record(tenant, first, "import-1")
    record(tenant, first, "import-1")
    assert clicks(asked(tenant, by="query")) == {"shoes": 3, "boots": 2}
    record(tenant, [row(query="Shoes", clicks=9), row(query="sandals")], "import-2")
    before = asked(tenant, by="query")
    assert clicks(before) == {"Shoes": 12, "boots": 2, "sandals": 1}, "spelt otherwise it is a row of its own"
    record(tenant, [row(query="shoes", clicks=30)], "import-3")
    assert clicks(asked(tenant, by="query"))["Shoes"] == 39
    for _ in range(2):
        retract(tenant, "import-3")
        assert asked(tenant, by="query").items == before.items


def test_new_rows_wake_what_depends_on_them(tenant: Context) -> None:
    query = PerformanceQuery.model_validate({"by": "query", "from": str(DAY), "to": str(DAY)})
    record(tenant, [row(query="shoes")], "import-1")
    assert read.performance(tenant, query).state == "MISS"
    assert read.performance(tenant, query).state == "HIT"
    record(tenant, [row(query="boots")], "import-2")
    changed = read.performance(tenant, query)
    assert changed.state == "MISS"
    assert b"boots" in changed.body
    retract(tenant, "import-2")
    undone = read.performance(tenant, query)
    assert undone.state == "MISS"
    assert b"boots" not in undone.body
    for purpose in declared().wakes:
        assert tenant.tenant_id in {mark.tenant_id for mark in due(tenant, purpose)}


FIGURES = st.tuples(st.integers(0, 50), st.integers(1, 500), st.floats(1, 90))
OBSERVED = st.dictionaries(
    st.tuples(
        st.integers(0, 13),
        st.sampled_from(["shoes", "red shoes", "boots"]),
        st.sampled_from(["https://example.com/a", "https://example.com/b/", "HTTPS://EXAMPLE.com/b"]),
        st.sampled_from(["desktop", "mobile"]),
        st.sampled_from(["usa", "deu"]),
    ),
    FIGURES,
    min_size=1,
    max_size=12,
)


@given(OBSERVED)
@hypothesis_settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_figures_are_those_of_a_spreadsheet(
    tenant: Context, observed: dict[tuple[int, str, str, str, str], tuple[int, int, float]]
) -> None:
    emptied(tenant)
    told = [
        row(day, query=query, page=page, device=device, country=country, clicks=c, impressions=i, position=p)
        for (day, query, page, device, country), (c, i, p) in observed.items()
    ]
    record(tenant, told, "import")
    keys: dict[str, Callable[[tuple[int, str, str, str, str]], str]] = {
        "day": lambda key: str(DAY + timedelta(days=key[0])),
        "week": lambda key: str(DAY + timedelta(days=key[0] // 7 * 7)),
        "query": lambda key: key[1],
        "page": lambda key: page_key_of(key[2]),
        "device": lambda key: key[3],
        "country": lambda key: key[4],
    }
    for by, key_of in keys.items():
        answer = asked(tenant, by=by)
        expected: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0])
        for key, (number, shown, position) in observed.items():
            sums = expected[key_of(key)]
            sums[0], sums[1], sums[2] = sums[0] + number, sums[1] + shown, sums[2] + position * shown
        assert {item.key: (item.clicks, item.impressions) for item in answer.items} == {
            key: (sums[0], sums[1]) for key, sums in expected.items()
        }
        for item in answer.items:
            sums = expected[item.key]
            assert item.ctr == pytest.approx(item.clicks / sums[1], abs=1e-6)
            assert item.position == pytest.approx(sums[2] / sums[1], abs=1e-3)
        assert answer.number == len(expected)
        assert answer.total.clicks == sum(number for number, _, _ in observed.values())
        assert answer.total.impressions == sum(shown for _, shown, _ in observed.values())


def test_filters_narrow_and_the_best_come_first(tenant: Context) -> None:
    told = [
        row(query="shoes", device="mobile", clicks=5, impressions=100, position=9.0),
        row(query="boots", device="mobile", clicks=7, impressions=10, position=3.0),
        row(1, query="shoes", device="desktop", clicks=1, impressions=1, position=1.0),
    ]
    record(tenant, told, "import")
    assert clicks(asked(tenant, by="query", device="mobile")) == {"boots": 7, "shoes": 5}
    assert clicks(asked(tenant, by="day", query="  SHOES ")) == {str(DAY): 5, str(DAY + timedelta(days=1)): 1}
    top = asked(tenant, by="query", limit=1, order="impressions")
    assert [(item.key, item.keyword_id) for item in top.items] == [("shoes", keyword_id_of(tenant.tenant_id, "shoes"))]
    assert (top.number, top.total.clicks) == (2, 13), "what is beyond the limit is counted"
    assert [item.key for item in asked(tenant, by="query", order="position").items] == ["boots", "shoes"]
    assert [item.key for item in asked(tenant, by="query", order="ctr").items] == ["boots", "shoes"]


def test_the_answer_tells_its_age_and_where_it_comes_from(tenant: Context) -> None:
    record(tenant, [row(0, clicks=4), row(1), row(1, query="shoes")], "import")
    answer = asked(tenant, by="day")
    assert (answer.newest_day, answer.days_with_data) == (DAY + timedelta(days=1), 2)
    assert [(each.source, each.dimensions) for each in answer.coverage] == [("test", "total")]
    nothing = asked(tenant, by="country")
    assert (nothing.items, nothing.newest_day, nothing.total.position) == ([], None, None)


def test_what_says_what_was_measured_makes_the_id() -> None:
    base = row(query="a")
    others: Sequence[PerformanceRow] = [
        row(query="b"),
        row(1, query="a"),
        row(page="a"),
        row(query="a", search_type="image"),
        row(query="a", site="sc-domain:example.com"),
        row(query="a", from_date=str(DAY - timedelta(days=1))),
        row(query="a", device="mobile"),
    ]
    ids = [row_id_of("tenant", each) for each in (base, *others)]
    assert len(set(ids)) == len(ids)
    assert row_id_of("tenant", row(query="a", clicks=9, position=7.0, source="other")) == ids[0]
    assert row_id_of("stranger", base) != ids[0]


def test_rows_of_one_import_about_the_same_are_one() -> None:
    made = fact_rows("tenant", [row(query="a", clicks=1), row(query="a", clicks=2)], import_id="import")
    assert [fact["clicks"] for fact in made] == [2]


def test_addresses_nobody_could_publish_at_are_kept() -> None:
    assert page_key_of("HTTPS://Example.com:443/Path/#part") == "https://example.com/Path"
    assert page_key_of("/path") == "/path"
