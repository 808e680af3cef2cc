"""The OpenAPI document: valid, fresh, complete, and true about what the handlers take and give."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import Field

from common.answers import Cached, Page
from common.errors import DeclarationError
from common.model import CamelModel, Model
from common.version import VERSION
from triggers import openapi
from triggers.docs_page import PAGE_FILE
from triggers.manifest import ROOT, load_manifest
from triggers.openapi_examples import request_example
from triggers.openapi_schemas import schemas_of

DOCUMENT: dict[str, Any] = json.loads(openapi.OPENAPI_FILE.read_text(encoding="utf-8"))
ENTRIES = [entry for entry in load_manifest() if entry["kind"] == "http"]
EVERY = pytest.mark.parametrize("entry", ENTRIES, ids=[entry["name"] for entry in ENTRIES])


def operation_of(entry: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = DOCUMENT["paths"][entry["path"]][entry["method"].lower()]
    return operation


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        found: Any = DOCUMENT
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def headers_of(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    parameters = [resolved(parameter) for parameter in operation["parameters"]]
    return {parameter["name"]: parameter for parameter in parameters if parameter["in"] == "header"}


def test_committed_document_is_fresh_and_valid() -> None:
    assert openapi.render(openapi.build_openapi(load_manifest())) == openapi.OPENAPI_FILE.read_text(encoding="utf-8")
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_version_is_the_projects() -> None:
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert DOCUMENT["info"]["version"] == VERSION


def test_document_has_the_manifests_operations_and_no_other() -> None:
    described = {
        (method.upper(), path, operation["x-function-name"])
        for path, route in DOCUMENT["paths"].items()
        for method, operation in route.items()
    }
    assert described == {(entry["method"], entry["path"], entry["name"]) for entry in ENTRIES}
    ids = [operation["operationId"] for route in DOCUMENT["paths"].values() for operation in route.values()]
    assert len(set(ids)) == len(ids)


@EVERY
def test_operation_says_who_may_call_it(entry: dict[str, Any]) -> None:
    operation = operation_of(entry)
    if entry["public"]:
        assert operation["security"] == []
        assert not {"401", "403", "429"} & set(operation["responses"])
    else:
        of_people = entry["tenancy"] == "person"
        scoped = [{"bearer": [entry["scope"]]}, {"apiKey": [entry["scope"]]}]
        assert operation["security"] == ([{"bearer": []}] if of_people else scoped)
        assert {"401", "403", "503"} <= set(operation["responses"])
        assert of_people or "X-Tenant-ID" in headers_of(operation)
        assert ("429" in operation["responses"]) == (entry["rate"] != "none")


@EVERY
def test_operation_says_what_repeats_and_what_is_conditional(entry: dict[str, Any]) -> None:
    operation = operation_of(entry)
    headers = headers_of(operation)
    repeatable = entry["method"] in {"POST", "PATCH"} and not entry["public"]
    assert ("Idempotency-Key" in headers) == repeatable
    if entry["if_match"] == "required":
        assert headers["If-Match"]["required"] is True
        assert {"412", "428"} <= set(operation["responses"])
    elif entry["if_match"] == "optional":
        assert not headers["If-Match"].get("required")
        assert "412" in operation["responses"]
    else:
        assert "If-Match" not in headers


@EVERY
def test_path_parameters_are_described(entry: dict[str, Any]) -> None:
    described = [parameter["name"] for parameter in operation_of(entry)["parameters"] if parameter.get("in") == "path"]
    assert described == re.findall(r"\{(\w+)\}", entry["path"])


@EVERY
def test_example_of_the_request_is_valid_against_its_schema(entry: dict[str, Any]) -> None:
    body = operation_of(entry).get("requestBody")
    takes = {parameter["role"] for parameter in entry["parameters"]} & {"body", "upload"}
    assert (body is not None) == bool(takes)
    for media_type, media in (body or {"content": {}})["content"].items():
        assert media["example"], media_type
        validator = jsonschema.Draft202012Validator({**media["schema"], "components": DOCUMENT["components"]})
        validator.validate(media["example"])


@EVERY
def test_every_answer_names_its_request(entry: dict[str, Any]) -> None:
    for status, reference in operation_of(entry)["responses"].items():
        answer = resolved(reference)
        if status != "304":
            assert "X-Request-ID" in answer["headers"], status
        if int(status) >= 400:
            (schema,) = (media["schema"] for media in answer["content"].values())
            assert resolved(schema) == DOCUMENT["components"]["schemas"]["Problem"]


@EVERY
def test_success_is_described_as_returned(entry: dict[str, Any]) -> None:
    operation = operation_of(entry)
    status = (
        "204" if entry["returns"] == "None" else "207" if "RowResults" in entry["returns"] else str(entry["status"])
    )
    headers = operation["responses"][status]["headers"]
    assert ("ETag" in headers) == ("Record[" in entry["returns"])
    assert ("X-Cache" in headers) == ("Cached" in entry["returns"])
    assert ("Link" in headers) == ("Page[" in entry["returns"])
    assert ("content" in operation["responses"][status]) == (status != "204")


class Sub(CamelModel):
    """A part.

    Attributes:
        deep_name: Name of the part,
            over two lines.
    """

    deep_name: str = Field(min_length=3, max_length=5)


class Sample(Model):
    """A whole, with ``code``.

    And more of it.

    Attributes:
        part: The part.
    """

    part: Sub
    note: str = Field(default="x", description="given here")


def test_docstrings_describe_models_and_their_fields() -> None:
    _, definitions = schemas_of([(Sample, "validation")])
    assert definitions["Sample"]["description"] == "A whole, with `code`.\n\nAnd more of it."
    assert definitions["Sample"]["properties"]["part"]["description"] == "The part."
    assert definitions["Sample"]["properties"]["note"]["description"] == "given here"
    assert definitions["Sub"]["properties"]["deepName"]["description"] == "Name of the part, over two lines."
    assert "title" not in definitions["Sub"]["properties"]["deepName"]


def test_example_is_made_from_the_schema_and_held_against_the_model() -> None:
    schemas, definitions = schemas_of([(Sample, "validation")])
    example = request_example(Sample, schemas[Sample, "validation"], definitions, "functions/aso/x.py")
    assert example == {"part": {"deepName": "examp"}}


class Picky(Model):
    """Takes nothing that a machine would guess."""

    code: str = Field(pattern="^X[0-9]{9}$")


def test_example_that_its_model_refuses_is_refused() -> None:
    schemas, definitions = schemas_of([(Picky, "validation")])
    with pytest.raises(DeclarationError, match=r"functions/aso/x\.py:1: .*'code'.*give the model's field examples"):
        request_example(Picky, schemas[Picky, "validation"], definitions, "functions/aso/x.py")


def test_generic_answers_are_unwrapped() -> None:
    entry = {"file": "functions/aso/x.py", "status": 200}
    returned = openapi._returned(Cached[Page[Sample]], entry)
    assert (returned.model, returned.page) == (Sample, True)
    assert set(returned.headers) == {"Link", "X-Cache", "Age"}
    with pytest.raises(DeclarationError, match="is not an answer"):
        openapi._returned(dict[str, int], entry)


def test_check_tells_a_stale_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openapi, "OPENAPI_FILE", tmp_path / "openapi.json")
    assert openapi.main(["--check"]) == 1
    assert openapi.main([]) == 0
    assert openapi.main(["--check"]) == 0


def scripts(page: str) -> Iterator[str]:
    yield from re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL)


def test_page_loads_nothing_and_keeps_no_key() -> None:
    page = PAGE_FILE.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)
    assert "@import" not in page
    (script,) = scripts(page)
    for forbidden in ("localStorage", "sessionStorage", "document.cookie", "innerHTML", "eval(", "indexedDB"):
        assert forbidden not in script


def test_page_can_be_read_by_everyone() -> None:
    page = PAGE_FILE.read_text(encoding="utf-8")
    assert '<html lang="en">' in page
    assert "color-scheme: light dark" in page
    for control in re.findall(r"<input[^>]*>", page):
        name = re.search(r'id="(\w+)"', control)
        assert name
        assert re.search(rf"<label>[^<]+{re.escape(control)}</label>", page), control
    (script,) = scripts(page)
    assert set(re.findall(r'\$\("(\w+)"\)', script)) <= set(re.findall(r'id="(\w+)"', page))
