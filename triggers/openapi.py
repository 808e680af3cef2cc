"""Generate ``triggers/openapi.json`` (OpenAPI 3.1) from the manifest and the models of the handlers.

This is the one generator that imports handlers, at build time only, because pydantic knows its schemas best.
Run as ``python -m triggers.openapi [--check]``.
"""

from __future__ import annotations

import importlib
import json
import sys
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter

from common.answers import Answer, Cached, Download, Page, Record, RowResults
from common.errors import DeclarationError
from common.version import VERSION
from triggers import openapi_shared as shared
from triggers.manifest import Entry, load_manifest
from triggers.openapi_examples import DEFAULT_FILE, FILES, request_example
from triggers.openapi_schemas import Mode, Schema, Schemas, plain, schemas_of

OPENAPI_FILE = Path(__file__).with_name("openapi.json")

DESCRIPTION = """One operation is one function. Each answers at its REST route, as listed here, and at its own address
`/<function name>/<path parameters>`.

Times are RFC 3339 in UTC, money is in minor units with its currency, ids are UUIDs. Lists come in pages with opaque
cursors. Errors are problem documents (RFC 9457) with a stable `code`. A request that may be repeated carries an
`Idempotency-Key`; a change that must not overwrite another one carries `If-Match`."""

TAGS = {
    "aso": "Search optimisation: content with hubs and spokes, keywords, ranks, opportunities.",
    "platform": "The platform: its health, jobs, dead letters, backfill and reconciliation.",
    "tenants": "Tenants and their credentials.",
}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One HTTP operation with everything that its handler's annotations say.

    Attributes:
        entry: Its entry of the manifest.
        hints: Annotations of its parameters, by role.
        names: Path parameters with their annotations.
        returned: What it returns.
    """

    entry: Entry
    hints: dict[str, Any]
    names: dict[str, Any]
    returned: Returned


@dataclass(frozen=True, kw_only=True)
class Returned:
    """What a return annotation means for the answer.

    Attributes:
        model: Model of the body, or None.
        page: Whether the body is a page of the model.
        media_type: Media type of a download; empty for JSON.
        headers: Names of response headers.
        status: Status that the kind of answer implies; None where the declared one stands.
        accepts: Whether it may answer 202 instead, for work that goes on after the answer.
    """

    model: type[BaseModel] | None = None
    page: bool = False
    media_type: str = ""
    headers: tuple[str, ...] = ()
    status: int | None = None
    accepts: bool = False


def build_openapi(entries: Sequence[Entry]) -> Schema:
    """Return the document.

    Raises:
        DeclarationError: A handler's annotation has no meaning here, or a request has no example that it accepts.
    """
    operations = [_operation(entry) for entry in entries if entry["kind"] == "http"]
    schemas, definitions = schemas_of(pair for operation in operations for pair in _models(operation))
    paths: dict[str, Schema] = {}
    for operation in operations:
        route = paths.setdefault(operation.entry["path"], {})
        route[operation.entry["method"].lower()] = _described(operation, schemas, definitions)
    domains = sorted({operation.entry["domain"] for operation in operations})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Xynergy",
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The front door"}],
        "tags": [{"name": domain, "description": TAGS.get(domain, domain.capitalize())} for domain in domains],
        "paths": dict(sorted(paths.items())),
        "components": _components(operations, schemas, definitions),
    }


def _components(operations: Sequence[Operation], schemas: Schemas, definitions: dict[str, Schema]) -> Schema:
    own = {"Problem": shared.PROBLEM_SCHEMA, "FieldProblem": shared.FIELD_PROBLEM_SCHEMA}
    for operation in operations:
        returned = operation.returned
        if returned.page and returned.model is not None:
            own[_page_name(returned.model)] = _page_schema(schemas[returned.model, "serialization"])
    return {
        "schemas": dict(sorted({**definitions, **own}.items())),
        "parameters": shared.REQUEST_HEADERS,
        "headers": shared.ANSWER_HEADERS,
        "responses": shared.problem_responses(),
        "securitySchemes": shared.SECURITY_SCHEMES,
    }


def _operation(entry: Entry) -> Operation:
    served = getattr(importlib.import_module(entry["module"]), entry["entry_point"])
    hints = typing.get_type_hints(served.handler, include_extras=True)
    roles = {parameter["role"]: hints[parameter["name"]] for parameter in entry["parameters"]}
    names = {
        parameter["name"]: hints[parameter["name"]] for parameter in entry["parameters"] if parameter["role"] == "path"
    }
    return Operation(entry=entry, hints=roles, names=names, returned=_returned(hints.get("return"), entry))


def _returned(annotation: Any, entry: Entry) -> Returned:
    if annotation is None or annotation is type(None):
        return Returned(status=204)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated and arguments[0] is Download:
        return Returned(media_type=arguments[1], headers=("Content-Disposition",))
    if annotation is Download:
        return Returned(media_type="application/octet-stream", headers=("Content-Disposition",))
    if isinstance(annotation, type) and issubclass(annotation, RowResults):
        return Returned(model=annotation, status=207)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Returned(model=annotation)
    if origin is Record:
        placed = ["Location"] if entry["location"] is not None else []
        return _with_headers(_returned(arguments[0], entry), "ETag", *placed)
    if origin is Page:
        return Returned(model=arguments[0], page=True, headers=("Link",))
    if origin is Cached:
        return _with_headers(_returned(arguments[0], entry), "X-Cache", "Age")
    if origin is Answer:
        # A wrapped answer may add a location; what its content implies about the status no longer holds.
        wrapped = _with_headers(
            _returned(arguments[0], entry), *(["Location"] if entry["status"] in {201, 202} else [])
        )
        long = entry["method"] in {"POST", "DELETE"} and entry["status"] == HTTPStatus.OK
        return replace(wrapped, accepts=long)
    raise DeclarationError(entry["file"], 1, f"{annotation} is not an answer; see common/answers.py")


def _with_headers(returned: Returned, *names: str) -> Returned:
    return Returned(
        model=returned.model,
        page=returned.page,
        media_type=returned.media_type,
        headers=(*returned.headers, *names),
        status=returned.status,
    )


def _models(operation: Operation) -> Iterator[tuple[type[BaseModel], Mode]]:
    for role in ("body", "query"):
        if role in operation.hints:
            yield from ((model, "validation") for model in _models_in(operation.hints[role]))
    if operation.returned.model is not None:
        yield operation.returned.model, "serialization"


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        for member in typing.get_args(annotation):
            yield from _models_in(member)


def _described(operation: Operation, schemas: Schemas, definitions: dict[str, Schema]) -> Schema:
    entry = operation.entry
    described: Schema = {
        "operationId": f"{entry['domain']}_{entry['operation']}",
        "tags": [entry["domain"]],
        "summary": entry["summary"],
        "description": plain(entry["description"]),
        "x-function-name": entry["name"],
        "x-rate-tier": entry["rate"],
        "parameters": [
            *(_path_parameter(name, annotation) for name, annotation in operation.names.items()),
            *_query_parameters(operation, schemas, definitions),
            *(shared.request_header(name) for name in _request_headers(operation)),
        ],
    }
    if not entry["public"]:
        described |= {"x-scope": entry["scope"], "x-tenancy": entry["tenancy"], "x-roles": entry["roles"]}
    body = _request_body(operation, schemas, definitions)
    if body is not None:
        described["requestBody"] = body
    described["responses"] = _responses(operation, schemas)
    described["security"] = _security(entry)
    return described


def _security(entry: Entry) -> list[Schema]:
    if entry["public"]:
        return []
    if entry["tenancy"] == "person":
        return [{"bearer": []}]
    return [{"bearer": [entry["scope"]]}, {"apiKey": [entry["scope"]]}]


def _path_parameter(name: str, annotation: Any) -> Schema:
    schema = TypeAdapter(annotation).json_schema()
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(operation: Operation, schemas: Schemas, definitions: dict[str, Schema]) -> Iterator[Schema]:
    model = operation.hints.get("query")
    if model is None:
        return
    schema = definitions[schemas[model, "validation"]["$ref"].rpartition("/")[2]]
    for name, declared in schema.get("properties", {}).items():
        field = _without_null(declared)
        parameter: Schema = {"name": name, "in": "query", "required": name in schema.get("required", [])}
        if "description" in field:
            parameter["description"] = field.pop("description")
        yield {**parameter, "schema": field}


def _without_null(field: Schema) -> Schema:
    """A query parameter is absent rather than null."""
    field = dict(field)
    if field.get("default", 0) is None:
        del field["default"]
    members = [member for member in field.get("anyOf", []) if member.get("type") != "null"]
    if len(members) == 1:
        del field["anyOf"]
        field = {**members[0], **field}
    elif members:
        field["anyOf"] = members
    return field


def _request_headers(operation: Operation) -> Iterator[str]:
    entry = operation.entry
    yield "RequestId"
    if not entry["public"]:
        yield "TenantId"
        if entry["method"] in {"POST", "PATCH"}:
            yield "IdempotencyKey"
    if entry["if_match"] != "ignored":
        yield "IfMatchRequired" if entry["if_match"] == "required" else "IfMatch"
    if entry["method"] == "GET" and "ETag" in operation.returned.headers:
        yield "IfNoneMatch"
    if "upload" in operation.hints:
        yield "ContentDisposition"


def _request_body(operation: Operation, schemas: Schemas, definitions: dict[str, Schema]) -> Schema | None:
    entry = operation.entry
    if "upload" in operation.hints:
        content = {media_type: _file(media_type) for media_type in entry["accepts"]}
        return {"required": True, "description": f"At most {entry['max_body']} bytes.", "content": content}
    annotation = operation.hints.get("body")
    if annotation is None:
        return None
    references = [schemas[model, "validation"] for model in _models_in(annotation)]
    if not references:
        raise DeclarationError(entry["file"], 1, f"body: {annotation} is not a model")
    schema = references[0] if len(references) == 1 else {"oneOf": references}
    example = request_example(annotation, schema, definitions, entry["file"])
    optional = type(None) in typing.get_args(annotation)
    content = {media_type: {"schema": schema, "example": example} for media_type in entry["accepts"]}
    return {"required": not optional, "content": content}


def _file(media_type: str) -> Schema:
    """Describe an uploaded file: the body itself, or one part of a form."""
    if media_type != "multipart/form-data":
        return {"schema": {"type": "string"}, "example": FILES.get(media_type, DEFAULT_FILE)}
    part = {"type": "string", "contentMediaType": "application/octet-stream"}
    schema = {"type": "object", "required": ["file"], "properties": {"file": part}}
    return {"schema": schema, "example": {"file": DEFAULT_FILE}}


def _responses(operation: Operation, schemas: Schemas) -> Schema:
    entry, returned = operation.entry, operation.returned
    status = returned.status or entry["status"]
    headers = ["X-Request-ID", *returned.headers]
    if _limited(entry):
        headers += ["RateLimit", "RateLimit-Policy"]
    if entry["method"] in {"POST", "PATCH"} and not entry["public"]:
        headers.append("Idempotency-Replayed")
    success: Schema = {
        "description": "Done." if status == 204 else "Answered row by row." if status == 207 else "Success.",
        "headers": {name: shared.answer_header(name) for name in headers},
    }
    content = _content(returned, schemas)
    if content is not None:
        success["content"] = content
    responses = {str(status): success}
    if returned.accepts:
        responses["202"] = {**success, "description": "Accepted: the work goes on after this answer."}
    if entry["method"] == "GET" and "ETag" in returned.headers:
        responses["304"] = {"description": "`If-None-Match` names the current version."}
    for problem in sorted(_problems(operation)):
        responses[str(problem)] = {"$ref": f"#/components/responses/{shared.PROBLEM_NAMES[problem]}"}
    return dict(sorted(responses.items()))


def _content(returned: Returned, schemas: Schemas) -> Schema | None:
    if returned.media_type:
        return {returned.media_type: {"schema": {"type": "string"} if "json" not in returned.media_type else {}}}
    if returned.model is None:
        return None
    schema = schemas[returned.model, "serialization"]
    if returned.page:
        schema = {"$ref": f"#/components/schemas/{_page_name(returned.model)}"}
    return {"application/json": {"schema": schema}}


def _limited(entry: Entry) -> bool:
    return not entry["public"] and entry["rate"] != "none"


def _problems(operation: Operation) -> Iterator[int]:
    """Yield the statuses of the problems that the operation can answer."""
    entry = operation.entry
    yield from (400, 422, 500)
    if not entry["public"]:
        yield from (401, 403, 503)
    if _limited(entry):
        yield 429
    if operation.names or entry["method"] != "GET":
        yield 404
    if entry["method"] != "GET":
        yield 409
    if operation.names and entry["path"].endswith(("/verify", "/accept")):
        yield 410
    if {"body", "upload"} & set(operation.hints):
        yield from (413, 415)
    if _destroys(entry):
        yield 423
    if entry["if_match"] != "ignored":
        yield 412
    if entry["if_match"] == "required":
        yield 428


def _destroys(entry: Entry) -> bool:
    """Tell whether the operation may be refused because a legal hold keeps what it would take away."""
    path: str = entry["path"]
    return ("/privacy/" in path and path.endswith("/start")) or path.endswith(("/deletion", "/deletion/plan"))


def _page_name(model: type[BaseModel]) -> str:
    return f"PageOf{model.__name__}"


def _page_schema(item: Schema) -> Schema:
    return {
        "type": "object",
        "description": "One page of a list.",
        "required": ["items", "next_cursor"],
        "properties": {
            "items": {"type": "array", "items": item},
            "next_cursor": {
                "anyOf": [{"type": "string"}, {"type": "null"}],
                "description": "Cursor of the next page; null on the last one.",
            },
        },
    }


def render(document: Schema) -> str:
    """Return the file's text."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the file, or with ``--check`` tell whether it is fresh."""
    try:
        text = render(build_openapi(load_manifest()))
    except DeclarationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if "--check" in arguments:
        fresh = OPENAPI_FILE.exists() and OPENAPI_FILE.read_text(encoding="utf-8") == text
        if not fresh:
            sys.stderr.write("triggers/openapi.json is stale: run nox -s manifest\n")
        return 0 if fresh else 1
    OPENAPI_FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
