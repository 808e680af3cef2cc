"""Both forms of a route, and pointers, for any input."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from common.errors import NotFound
from common.model import Model
from triggers.bodies import field_errors, parse_json, pointer
from triggers.paths import PathForms

segments = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(first=segments, second=segments)
def test_both_forms_give_the_same_values(first: str, second: str) -> None:
    forms = PathForms("/v1/a/{first}/b/{second}", {"first": str, "second": str})
    expected = {"first": first, "second": second}
    assert forms.match(f"/{first}/{second}") == expected
    assert forms.match(f"/v1/a/{first}/b/{second}") == expected


@given(first=segments, second=segments)
def test_the_name_of_the_function_may_lead(first: str, second: str) -> None:
    """A load balancer that finds functions by their names leaves the name in the path."""
    forms = PathForms("/v1/a/{first}/b/{second}", {}, "a-get")
    assert forms.match(f"/a-get/{first}/{second}") == {"first": first, "second": second}
    assert PathForms("/v1/a", {}, "a-list").match("/a-list") == {}
    with pytest.raises(NotFound):
        PathForms("/v1/a", {}, "a-list").match("/b-list")


@given(st.uuids())
def test_a_uuid_has_one_address(value: uuid.UUID) -> None:
    forms = PathForms("/v1/a/{a_id}", {"a_id": uuid.UUID})
    assert forms.match(f"/{value}") == {"a_id": value}
    for spelling in (value.hex, f"{{{value}}}", value.urn):
        with pytest.raises(NotFound):
            forms.match(f"/{spelling}")


@given(st.lists(st.text(max_size=3), max_size=6))
def test_any_path_is_matched_or_404(parts: list[str]) -> None:
    forms = PathForms("/v1/a/{a}/{b}", {})
    path = "/" + "/".join(parts)
    if len(parts) == 2 and all(parts) and "/" not in "".join(parts):
        assert forms.match(path) == {"a": parts[0], "b": parts[1]}
    elif not path.startswith("/v1/a/") and path.count("/") != 2:
        with pytest.raises(NotFound) as caught:
            forms.match(path)
        assert caught.value.code == "route_not_found"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def resolve(document: Any, reference: str) -> Any:
    """Follow a pointer as RFC 6901 has it."""
    for step in reference.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document


def places(document: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner: list[tuple[str | int, Any]] = []
    if isinstance(document, dict):
        inner = list(document.items())
    elif isinstance(document, list):
        inner = list(enumerate(document))
    return [path, *(place for name, value in inner for place in places(value, (*path, name)))]


@given(json_values)
def test_a_pointer_leads_to_its_place(document: Any) -> None:
    for place in places(document):
        expected = document
        for step in place:
            expected = expected[step]
        assert resolve(document, pointer(place, document)) is expected


def test_a_pointer_leaves_out_members_of_unions() -> None:
    class Circle(Model):
        radius: int

    class Square(Model):
        side: int

    class Drawing(Model):
        shape: Circle | Square

    given_value = {"shape": {"radius": "x"}}
    with pytest.raises(ValidationError) as caught:
        Drawing.model_validate(given_value)
    found = {error.pointer for error in field_errors(caught.value.errors(), given_value)}
    assert found == {"/shape/radius", "/shape/side"}


@given(json_values)
def test_json_is_read_as_it_was_written(document: Any) -> None:
    import json

    for escaped in (True, False):
        try:
            content = json.dumps(document, ensure_ascii=escaped).encode()
        except UnicodeEncodeError:
            continue
        assert parse_json(content) == document
