"""Cursors: they cannot be forged or moved to another query, and pages of any size make up the whole list."""

from __future__ import annotations

import base64
import dataclasses
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from common.clients.registry import Clients
from common.errors import BadRequest, ConfigurationError
from common.pagination import open_cursor, query_fingerprint, sign_cursor
from common.settings import Settings
from common.store import Repository, Work, transact, write_record
from tests.common.things import THING, Thing, context_of, thing

LOCAL = Settings(environment="local", project="p", cursor_key="a key")
times = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    times,
)


@given(st.lists(values, max_size=5), st.text())
def test_a_cursor_gives_back_exactly_what_it_was_made_of(parts: list[Any], fingerprint: str) -> None:
    opened = (
        open_cursor(LOCAL, sign_cursor(LOCAL, parts, fingerprint), fingerprint) if len(str(parts)) < 1000 else parts
    )
    assert opened == parts
    assert [type(part) is float for part in opened] == [type(part) is float for part in parts]


@given(st.lists(values, min_size=1, max_size=3), st.data())
def test_a_changed_cursor_is_refused(parts: list[Any], data: st.DataObject) -> None:
    cursor = sign_cursor(LOCAL, parts, "query")
    place = data.draw(st.integers(0, len(cursor) - 1))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ é"
    letter = data.draw(st.sampled_from([letter for letter in letters if letter != cursor[place]]))
    with pytest.raises(BadRequest) as refusal:
        open_cursor(LOCAL, cursor[:place] + letter + cursor[place + 1 :], "query")
    assert refusal.value.code == "invalid_cursor"


@given(st.text())
def test_any_text_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(BadRequest):
        open_cursor(LOCAL, text, "query")


def test_a_cursor_is_bound_to_tenant_entity_filters_order_and_key() -> None:
    base: tuple[Any, ...] = ("acme", "thing", [("size", ">", 1)], ("-created_at",))
    cursor = sign_cursor(LOCAL, [1], query_fingerprint(*base))
    assert open_cursor(LOCAL, cursor, query_fingerprint(*base)) == [1]
    for place, other in enumerate(["acme2", "person", [("size", ">", "1")], ("created_at",)]):
        query = (*base[:place], other, *base[place + 1 :])
        with pytest.raises(BadRequest):
            open_cursor(LOCAL, cursor, query_fingerprint(*query))
    with pytest.raises(BadRequest):
        open_cursor(dataclasses.replace(LOCAL, cursor_key="another"), cursor, query_fingerprint(*base))
    for spelling in (cursor + "=", cursor + "A", base64.b64encode(b"x" * 40).decode()):
        with pytest.raises(BadRequest):
            open_cursor(LOCAL, spelling, query_fingerprint(*base))


def test_the_cloud_needs_a_key_of_its_own() -> None:
    cloud = Settings(environment="cloud", project="p")
    with pytest.raises(ConfigurationError):
        sign_cursor(cloud, [1], "query")
    local = dataclasses.replace(LOCAL, cursor_key="")
    assert open_cursor(local, sign_cursor(local, [1], "query"), "query") == [1]


@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(0, 4), max_size=14),
    limit=st.integers(1, 6),
    order=st.sampled_from([("size",), ("-size",), ("-created_at",), ("colour", "-size"), ()]),
    inserted=st.lists(st.integers(0, 4), max_size=6),
)
def test_pages_of_any_size_make_up_the_list_while_others_insert(
    clients: Clients, sizes: list[int], limit: int, order: tuple[str, ...], inserted: list[int]
) -> None:
    context = context_of(clients, f"t{uuid.uuid4().hex[:12]}")
    base = [thing(size=size) for size in sizes]
    transact(context, lambda work: [work.create(THING, each) for each in base])
    repository = Repository(THING, context)
    coming = iter(inserted)
    seen: list[Thing] = []
    cursor = None
    while True:
        page = repository.page(order=order, limit=limit, cursor=cursor)
        seen += page.items
        assert len(page.items) <= limit
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.items) == limit
        size = next(coming, None)
        if size is not None:

            def insert(work: Work, size: int = size) -> Thing:
                return work.create(THING, thing(size=size))

            write_record(context, insert)
    ids = [each.thing_id for each in seen]
    assert len(set(ids)) == len(ids)
    assert {each.thing_id for each in base} <= set(ids)
    for field in order[:1]:
        keys = [getattr(each, field.removeprefix("-")) for each in seen]
        assert keys == sorted(keys, reverse=field.startswith("-"))


def test_filters_and_orders_of_fields_the_model_lacks_are_mistakes(clients: Clients) -> None:
    repository = Repository(THING, context_of(clients))
    with pytest.raises(ValueError, match="no field"):
        repository.page([("colur", "==", "red")])
    with pytest.raises(ValueError, match="no field"):
        repository.page(order=["-crated_at"])


def test_an_order_by_a_list_or_map_cannot_be_continued(clients: Clients) -> None:
    with pytest.raises(TypeError):
        sign_cursor(LOCAL, [{"a": 1}], "query")
