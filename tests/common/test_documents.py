"""Models as documents: every value comes back as it was, and the changes between two documents are exact."""

from __future__ import annotations

import copy
import enum
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, Field, SecretStr

from common.documents import ABSENT, changes, decode, encode, encode_value, stored_name
from common.model import CamelModel, Model
from tests.common.things import Colour, Part, Thing

names = st.text(min_size=1, max_size=3)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(allow_nan=False), st.text(max_size=3))
trees = st.recursive(scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner)))
maps = st.dictionaries(names, trees, max_size=4)


def applied(document: dict[str, Any], changed: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    """Do what Firestore does with a field-level update."""
    result = copy.deepcopy(document)
    for path, value in changed.items():
        place = result
        for name in path[:-1]:
            place = place[name]
        if value is ABSENT:
            del place[path[-1]]
        else:
            place[path[-1]] = value
    return result


@given(maps, maps)
def test_applying_the_changes_makes_one_document_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    result = applied(before, changes(before, after))
    assert result == after
    assert repr(result) == repr(applied(result, changes(result, after)))
    assert changes(after, copy.deepcopy(after)) == {}


@given(maps, maps, st.dictionaries(st.text(min_size=5, max_size=6), scalars, max_size=2))
def test_what_neither_side_knows_is_left_alone(
    before: dict[str, Any], after: dict[str, Any], unknown: dict[str, Any]
) -> None:
    assert applied({**before, **unknown}, changes(before, after)) == {**after, **unknown}


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (0, False), ([1], [1.0]), ({"a": 1}, {"a": True})])
def test_values_that_python_calls_equal_and_firestore_does_not_are_changes(one: object, other: object) -> None:
    assert changes({"x": one}, {"x": other}) != {}


@given(
    st.builds(
        Thing,
        thing_id=st.uuids(),
        name=st.text(max_size=5).map(str.strip),
        colour=st.sampled_from(Colour),
        made_on=st.none() | st.dates(),
        parts=st.lists(st.builds(Part, name=st.just("part"), weight=st.none() | st.floats(allow_nan=False))),
        labels=st.dictionaries(names.map(str.strip).filter(bool), st.just("label")),
        created_at=st.datetimes(timezones=st.just(UTC)),
    )
)
def test_a_model_comes_back_from_its_document(value: Thing) -> None:
    document = encode(value)
    assert decode(Thing, {**document, "_meta": {}, "schema_version": 3, "tenant_id": "t", "newer": 1}) == value


class Level(enum.IntEnum):
    """A level."""

    LOW = 1


def test_values_become_what_firestore_stores() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    some_id = uuid.uuid4()
    assert encode_value(Level.LOW) == 1
    assert type(encode_value(Level.LOW)) is int
    assert encode_value([moment, date(2026, 1, 2), some_id]) == [moment, "2026-01-02", str(some_id)]
    assert encode_value({Colour.RED: (1, 2)}) == {"red": [1, 2]}
    assert encode_value({"b", "a"}) == ["a", "b"]
    assert encode_value(AnyUrl("https://example.com/x")) == "https://example.com/x"


@pytest.mark.parametrize(
    "value",
    [Decimal("1.5"), datetime(2026, 1, 1), SecretStr("hush"), object(), {"": 1}],  # noqa: DTZ001
)
def test_values_firestore_cannot_hold_exactly_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        encode_value([value])


class Versioned(CamelModel):
    """A model that has fields of the technical names itself."""

    tenant_id: str
    schema_version: int = Field(default=1, alias="schema_version")


def test_technical_names_that_the_model_has_are_its_own() -> None:
    assert encode(Versioned(tenant_id="t")) == {"tenantId": "t", "schema_version": 1}
    assert decode(Versioned, {"tenantId": "t", "schema_version": 4, "tenant_id": "other"}).schema_version == 4


class Plain(Model):
    """A model."""

    amount: Decimal


def test_a_refused_value_is_named() -> None:
    with pytest.raises(TypeError, match=r"Plain\.amount"):
        encode(Plain(amount=Decimal(1)))


def test_names_of_the_model_become_names_of_the_document() -> None:
    assert stored_name(Versioned, "tenant_id") == "tenantId"
    assert stored_name(Thing, "main_part.weight") == "main_part.weight"
    with pytest.raises(ValueError, match="no field"):
        stored_name(Thing, "_meta")
