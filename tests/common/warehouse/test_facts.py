"""Facts: what counts after any appends, publications and retractions, in any order, is what a plain model says."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from common.clients.bigquery import bigquery_client
from common.clients.registry import Clients
from common.context import Context
from common.errors import PoisonEvent
from common.registry import facts
from common.warehouse import facts as writing
from common.warehouse.fact_tables import tenant_facts
from common.warehouse.facts import append_facts, publish_slice, retract_batch, sweep_slices
from common.warehouse.provision import provision_tenant
from common.warehouse.query import rows
from tests.common.warehouse.conftest import context_for

FACTS = facts()["search_performance"]
DAY = "2026-01-31"
EXAMPLES = itertools.count()


@pytest.fixture(scope="module")
def held(clients: Clients) -> Iterator[Context]:
    """A tenant whose tables exist, for the module: the tests tell their rows apart by a prefix."""
    context = context_for(clients, f"t{uuid.uuid4().hex[:10]}")
    provision_tenant(context, context.tenant_id)
    yield context
    [found] = tenant_facts(clients.settings.project, context.tenant_id).values()
    clients.get(bigquery_client).delete_dataset(found.rows.dataset, delete_contents=True, not_found_ok=True)


def fact(key: str, clicks: int, **fields: Any) -> dict[str, Any]:
    """Return a row that fits the table."""
    return {
        "row_id": key,
        "date": DAY,
        "from_date": DAY,
        "dimensions": "query",
        "search_type": "web",
        "clicks": clicks,
        "impressions": 100,
        "source": "test",
        "created_at": "2026-02-01T00:00:00.000000Z",
        **fields,
    }


def visible(context: Context, prefix: str) -> dict[str, int]:
    """Return the clicks of every key that counts."""
    sql = "SELECT row_id, clicks FROM {search_performance_latest} WHERE date = @day AND STARTS_WITH(row_id, @prefix)"
    found = rows(context, sql, {"day": date.fromisoformat(DAY), "prefix": prefix})
    assert len(found) == len({row["row_id"] for row in found}), "one row a key"
    return {row["row_id"].removeprefix(prefix): row["clicks"] for row in found}


@dataclass(frozen=True)
class Append:
    batch: str
    slice: str | None
    sequence: int
    values: Mapping[str, int]


@dataclass(frozen=True)
class Publish:
    batch: str
    slice: str
    sequence: int


@dataclass(frozen=True)
class Retract:
    batch: str


Step = Append | Publish | Retract
BATCHES, SLICES, SEQUENCES = st.sampled_from("abc"), st.sampled_from("xy"), st.integers(1, 4)
VALUES = st.dictionaries(st.sampled_from("klm"), st.integers(0, 99), min_size=1)
STEPS = st.lists(
    st.one_of(
        st.builds(Append, BATCHES, st.none() | SLICES, SEQUENCES, VALUES),
        st.builds(Publish, BATCHES, SLICES, SEQUENCES),
        st.builds(Retract, BATCHES),
    ),
    min_size=2,
    max_size=8,
)


@dataclass
class Model:
    """What counts, worked out in the plainest way."""

    rows: list[tuple[int, str, int, str | None, str, int]] = field(default_factory=list)
    published: list[tuple[int, str, str]] = field(default_factory=list)
    retracted: set[str] = field(default_factory=set)

    def take(self, step: Step) -> None:
        match step:
            case Append():
                for key, clicks in step.values.items():
                    self.rows.append((step.sequence, step.batch, len(self.rows), step.slice, key, clicks))
            case Publish():
                self.published.append((step.sequence, step.batch, step.slice))
            case Retract():
                self.retracted.add(step.batch)

    def visible(self) -> dict[str, int]:
        standing = {
            place: batch for _, batch, place in sorted(self.published) if batch not in self.retracted
        }  # the last one in order of sequence and batch stands
        counting = [
            row
            for row in sorted(self.rows, key=lambda row: row[:3])
            if row[1] not in self.retracted and (row[3] is None or standing.get(row[3]) == row[1])
        ]
        return {key: clicks for _, _, _, _, key, clicks in counting}


def do(context: Context, prefix: str, step: Step) -> None:
    """Take a step for real, in batches and slices of this prefix."""
    match step:
        case Append():
            place = None if step.slice is None else prefix + step.slice
            made = [fact(prefix + key, clicks) for key, clicks in step.values.items()]
            append_facts(context, FACTS, made, batch=prefix + step.batch, sequence=step.sequence, slice=place)
        case Publish():
            place = prefix + step.slice
            publish_slice(context, FACTS, place, batch=prefix + step.batch, sequence=step.sequence)
        case Retract():
            retract_batch(context, FACTS, prefix + step.batch)


@given(steps=STEPS)
@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_counts_is_what_a_plain_model_says(held: Context, steps: Sequence[Step]) -> None:
    """Prevents rows that outlive what replaced them, come back wrongly, or are lost with another batch."""
    prefix, model = f"random-{next(EXAMPLES)}:", Model()
    for step in steps:
        do(held, prefix, step)
        model.take(step)
    assert visible(held, prefix) == model.visible()
    sweep_slices(held, FACTS, date(2026, 1, 1), date.fromisoformat(DAY))
    assert visible(held, prefix) == model.visible(), "sweeping is not noticed"


@given(before=STEPS, batch=st.dictionaries(st.sampled_from("klm"), st.integers(0, 99), min_size=1))
@hypothesis_settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_retracting_a_batch_is_as_if_it_had_never_come(
    held: Context, before: Sequence[Step], batch: Mapping[str, int]
) -> None:
    prefix = f"inverse-{next(EXAMPLES)}:"
    for step in before:
        do(held, prefix, step)
    original = visible(held, prefix)
    do(held, prefix, Append("import", None, 9, batch))
    assert visible(held, prefix) == original | dict(batch)
    do(held, prefix, Append("import", None, 9, batch))
    assert visible(held, prefix) == original | dict(batch), "appending again changes nothing"
    for _ in range(2):
        do(held, prefix, Retract("import"))
        assert visible(held, prefix) == original
    do(held, prefix, Append("import", None, 10, batch))
    assert visible(held, prefix) == original, "what arrives after the retraction does not count either"


def test_a_slice_changes_as_a_whole(held: Context) -> None:
    """Prevents days of which readers see a half, and rows that a corrected day no longer has."""
    first, second = {"p": 1, "q": 2}, {"q": 3, "r": 4}
    do(held, "whole:", Append("a", "x", 1, first))
    assert visible(held, "whole:") == {}, "not before it is published"
    do(held, "whole:", Publish("a", "x", 1))
    assert visible(held, "whole:") == first
    do(held, "whole:", Append("b", "x", 2, second))
    assert visible(held, "whole:") == first
    do(held, "whole:", Publish("b", "x", 2))
    assert visible(held, "whole:") == second
    do(held, "whole:", Publish("a", "x", 1))
    assert visible(held, "whole:") == second, "an old publication that comes late changes nothing"
    do(held, "whole:", Append("c", "x", 3, first))
    assert sweep_slices(held, FACTS, date(2026, 2, 1), date(2026, 2, 28)) == 0, "another month"
    assert sweep_slices(held, FACTS, date(2026, 1, 1), date(2026, 1, 31)) >= len(first)
    do(held, "whole:", Publish("c", "x", 3))
    assert visible(held, "whole:") == first, "what is not published yet is not swept"


def test_many_rows_are_loaded_and_few_streamed(held: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents a bill for streaming what load jobs bring for nothing, and batches that fit into no request."""
    monkeypatch.setattr(writing, "LOAD_FROM", 20)
    monkeypatch.setattr(writing, "LOADED_AT_ONCE", 15)
    client = held.clients.get(bigquery_client)
    ways: list[str] = []

    def noting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **options: Any) -> Any:
            ways.append(name)
            return real(*given, **options)

        return call

    for name in ("insert_rows_json", "load_table_from_file"):
        monkeypatch.setattr(client, name, noting(name, getattr(client, name)))
    do(held, "few:", Append("a", None, 1, {f"{n}": n for n in range(19)}))
    assert ways == ["insert_rows_json"]
    do(held, "many:", Append("a", None, 1, {f"{n}": n for n in range(31)}))
    assert ways == ["insert_rows_json"] + ["load_table_from_file"] * 3
    assert visible(held, "few:") == {f"{n}": n for n in range(19)}
    assert visible(held, "many:") == {f"{n}": n for n in range(31)}


@pytest.mark.parametrize(
    "broken", [{"clicks": "7"}, {"date": "31.1.2026"}, {"date": None}, {"batch_id": "x"}, {"unheard_of": 1}]
)
def test_one_wrong_row_keeps_all_of_them_out(held: Context, broken: Mapping[str, Any]) -> None:
    made = [fact("wrong:a", 1), {**fact("wrong:b", 2), **broken}]
    with pytest.raises(PoisonEvent, match="search_performance"):
        append_facts(held, FACTS, made, batch="wrong", sequence=1)
    assert visible(held, "wrong:") == {}
