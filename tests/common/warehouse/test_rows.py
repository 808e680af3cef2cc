"""Rows: each value fits its column or the change is poison that names the column."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import PoisonEvent
from common.registry import TableRecord, entities
from common.warehouse.rows import cell, row_of
from common.warehouse.tables import TYPES, Column, declared_columns
from tests.common.warehouse.changes import FIRST, event, keyword

TABLE = entities()["keyword"].table
assert TABLE is not None


def test_a_document_becomes_a_row() -> None:
    data = keyword(1, search_volume=70, serp_history=[{"position": 3}], tenant_id="demo", provenance={"a": 1})
    row = row_of(table(), event("demo", data, 5))
    assert row.values == {
        "keyword_id": "keyword-00001",
        "keyword": "running shoes 1",
        "created_at": "2026-09-01T08:00:00.000000Z",
        "last_checked": "2026-09-20T08:00:00.000000Z",
        "search_volume": 70,
        "serp_history": '[{"position":3}]',
        "schema_version": 1,
        "change_sequence": FIRST + 5,
        "change_operation": "updated",
        "change_event_id": row.event_id,
    }
    assert row.size >= len(json.dumps(row.values))


def table() -> TableRecord:
    assert TABLE is not None
    return TABLE


def test_a_deletion_keeps_nothing_but_the_key() -> None:
    row = row_of(table(), event("demo", keyword(1, search_volume="of the wrong type"), 5, "deleted"))
    assert set(row.values) == {
        "keyword_id", "schema_version", "change_sequence", "change_operation", "change_event_id"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("search_volume", "many"),
        ("search_volume", 1.5),
        ("search_volume", True),
        ("search_volume", 2**63),
        ("difficulty_score", "12"),
        ("keyword", None),
        ("keyword", 7),
        ("created_at", "2026-09-01T08:00:00"),
        ("created_at", "yesterday"),
        ("observed_until", "2026-02-30"),
        ("observed_until", "20260201"),
        ("keyword_id", 7),
    ],
)
def test_what_does_not_fit_names_its_column_but_not_its_value(field: str, value: object) -> None:
    with pytest.raises(PoisonEvent) as caught:
        row_of(table(), event("demo", {**keyword(1), field: value}, 5))
    assert caught.value.code == "schema_mismatch"
    assert f"keywords.{field}" in caught.value.detail
    assert "yesterday" not in caught.value.detail


def test_a_list_is_checked_element_by_element() -> None:
    column = Column(name="tags", type="STRING", mode="REPEATED")
    assert cell(table(), column, ["a", "b"]) == ["a", "b"]
    assert cell(table(), column, None) is None
    for wrong in ("a", {"a": 1}, ["a", None], [1]):
        with pytest.raises(PoisonEvent, match=re.escape("keywords.tags")):
            cell(table(), column, wrong)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(kind=st.sampled_from(sorted(TYPES)), value=JSON)
def test_any_value_is_taken_or_named(kind: str, value: Any) -> None:
    try:
        taken = cell(table(), Column(name="any", type=kind), value)
    except PoisonEvent as error:
        assert error.code == "schema_mismatch"  # noqa: PT017
    else:
        json.dumps(taken, allow_nan=False)
        assert kind != "JSON" or value is None or json.loads(taken) == value


def test_every_declared_table_can_be_written() -> None:
    for entity in entities().values():
        if entity.table is not None:
            assert declared_columns(entity.table)
            assert entity.table.key == entity.key, "reconciliation finds documents by the key of their row"
