"""Nasty values in every place of every body: never a failure of ours; what is taken comes back as it was."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.operations import OPERATIONS, Field, Operation, fields, kinds, nothing, problem_of, resolve
from tests.stack import Stack, TenantHandle

STRINGS: dict[str, str] = {
    "NUL": "a\x00b",
    "control characters": "a\x01\x1b[31mb\x7f\x85",
    "right to left": "\u202eabc\u202c שלום مرحبا",
    "combining": "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢",
    "emoji": "👩\u200d👩\u200d👧\u200d👦🏳️\u200d🌈",
    "zero width": "a\u200bb\ufeffc\u2060",
    "noncharacter": "a\ufffe\uffffb",
    "line separators": "a\u2028b\u2029c\r\nd\te",
    "SQL": "'; DROP TABLE keywords; --",
    "SQL parameter": "@tenant_id {keywords_latest} %s ? `x`",
    "Mustache": "{{#lambda}}{{{this}}}{{/lambda}} ${7*7} <%= 7*7 %>",
    "spreadsheet": '=HYPERLINK("http://example.com","x")',
    "markup": "<script>alert(1)</script>&amp;\"'",
    "path": "../../etc/passwd",
    "document path": "a/b/__c__/.",
    "log line": '{"severity":"CRITICAL"}\n{"message":"forged"}',
    "white space": " \t\n ",
    "empty": "",
    "digits of another script": "١٢٣",
    "beyond the calendar": "9999-99-99",
    "the end of the calendar": "9999-12-31T23:59:59.999999-23:59",
    "the beginning of the calendar": "0001-01-01T00:00:00+23:59",
    "second sixty": "2026-06-30T23:59:60Z",
}
RAW: dict[str, str] = {
    "lone surrogate": '"a\\ud800b"',
    "two surrogates in the wrong order": '"\\udc00\\ud800"',
    "deep": "[" * 60 + "]" * 60,
    "deep objects": '{"a":' * 60 + "1" + "}" * 60,
    "huge integer": "9" * 400,
    "thousands of digits": "9" * 5000,
    "huge number": "1e400",
    "tiny number": "1e-400",
    "negative zero": "-0.0",
    "beyond 64 bits": "9223372036854775808",
    "below 64 bits": "-9223372036854775809",
    "beyond 53 bits": "9007199254740993",
    "fraction": "0.1",
    "true": "true",
    "null": "null",
    "empty object": "{}",
    "empty list": "[]",
    "many nulls": "[" + ",".join(["null"] * 2000) + "]",
}
MEGABYTE = "x" * 1_000_000
BODIES = [operation for operation in OPERATIONS if operation.schema is not None]
HOLE = "hole-that-is-filled-with-json"


def places(operation: Operation) -> list[Field]:
    assert operation.schema is not None
    return list(fields(operation.schema))


def values() -> Iterator[tuple[str, str]]:
    yield from ((name, json.dumps(text)) for name, text in STRINGS.items())
    yield from RAW.items()
    yield "a megabyte", json.dumps(MEGABYTE)


def sent(operation: Operation, place: Field, value: str, tenant_id: str) -> bytes:
    """Return the example with a piece of JSON in one place, and a fresh address where it must be unique."""
    body = place.put(operation.example, HOLE)
    for name in ("url", "tenant_id"):
        if name in body and place.name != name:
            body[name] = f"https://example.com/{uuid.uuid4()}" if name == "url" else tenant_id
    return json.dumps(body).replace(json.dumps(HOLE), value).encode()


@pytest.mark.parametrize("operation", BODIES, ids=[each.name for each in BODIES])
def test_never_fails(operation: Operation, cloud: Stack, owner: TenantHandle, caller_for: Any) -> None:
    ids = _ids(owner, operation)
    headers = {**caller_for(operation).headers, "Content-Type": "application/json", "If-Match": "*"}
    url = cloud.url + operation.route(lambda name: ids.get(name, nothing(name)))
    documented = {int(status) for status in operation.described["responses"]}
    with requests.Session() as session:
        for place in places(operation):
            for name, value in values():
                body = sent(operation, place, value, owner.tenant_id)
                answer = session.request(operation.method, url, data=body, headers=headers, timeout=60)
                case = (place.path, name, answer.status_code, answer.text[:400])
                assert answer.status_code < 500, case
                assert answer.status_code in documented, case
                if answer.status_code >= 400:
                    problem_of(answer)
                    assert len(answer.content) < 20_000, "a refusal does not repeat what was sent"


def _ids(owner: TenantHandle, operation: Operation) -> dict[str, str]:
    """Make the piece that an operation changes; other ids lead to nothing."""
    if "content_id" not in operation.parameters:
        return {}
    made = owner.client.post("/v1/aso/content", {"content_type": "hub", "keyword_primary": "a", "title": "b"})
    return {"content_id": made.json()["content_id"]}


ROUND_TRIP = [
    ("aso-content-create", "title"),
    ("aso-content-create", "keyword_primary"),
    ("aso-content-create", "meta_description"),
]


@pytest.mark.parametrize(("name", "part"), ROUND_TRIP)
def test_what_is_taken_comes_back(name: str, part: str, owner: TenantHandle) -> None:
    """What is taken is stored and told as it was sent, but for white space around it."""
    [operation] = [each for each in OPERATIONS if each.name == name]
    caller = owner.client
    [place] = [each for each in places(operation) if each.path == (part,)]
    taken = 0
    for case, text in STRINGS.items():
        body = sent(operation, place, json.dumps(text), owner.tenant_id)
        answer = caller.request("POST", operation.route(), data=body, headers={"Content-Type": "application/json"})
        if answer.status_code == 422:
            assert answer.json()["errors"][0]["pointer"] == f"/{part}", case
            continue
        assert answer.status_code == 201, (case, answer.text)
        again = caller.get(f"/v1/aso/content/{answer.json()['content_id']}")
        assert again.json()[part] == answer.json()[part] == text.strip(), case
        taken += 1
    assert taken >= 12


def test_every_string_is_bounded() -> None:
    """A string without a bound would be stored whole."""
    unbounded = [
        (operation.name, place.path)
        for operation in BODIES
        for place in places(operation)
        if "string" in kinds(place.schema) and not _bounded(place.schema)
    ]
    assert unbounded == []


def _bounded(schema: dict[str, Any]) -> bool:
    schema = resolve(schema)
    members = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    if members:
        return all(_bounded(member) for member in members if resolve(member).get("type") != "null")
    return schema.get("type") != "string" or bool({"maxLength", "pattern", "enum", "const", "format"} & schema.keys())
