"""Every operation of the manifest as a request that can be sent: paths filled in, with the examples of its document."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests

from triggers.manifest import load_manifest
from triggers.openapi import OPENAPI_FILE
from triggers.paths import PARAMETER

Schema = dict[str, Any]

PUBLIC = frozenset({"platform-docs", "platform-health", "platform-openapi", "tenants-account-callback"})
"""The only operations that need no credential; a new one is added here on purpose or not at all."""


@functools.cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    loaded: dict[str, Any] = json.loads(OPENAPI_FILE.read_text(encoding="utf-8"))
    return loaded


def resolve(schema: Schema) -> Schema:
    """Follow a reference into the document."""
    while "$ref" in schema:
        found: Any = document()
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def nothing(name: str) -> str:
    """Return a value for a path parameter that names nothing."""
    known = {"tenant_id": "t_nobody", "dead_letter_id": "f" * 64}
    return known.get(name, "0198c5f2-7c1e-7d53-9a3b-000000000000")


@functools.cache
def _session() -> requests.Session:
    """Return the session of this process, which keeps connections open."""
    return requests.Session()


@dataclass(frozen=True)
class Operation:
    """One HTTP operation.

    Attributes:
        entry: Its entry of the manifest.
    """

    entry: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the function."""
        return str(self.entry["name"])

    @property
    def method(self) -> str:
        """Upper-case method."""
        return str(self.entry["method"])

    @property
    def writes(self) -> bool:
        """Whether its scope is one of writing."""
        return str(self.entry["scope"]).endswith(":write")

    @property
    def is_platform(self) -> bool:
        """Whether only operators may call it."""
        return bool(self.entry["tenancy"] == "platform")

    @property
    def is_personal(self) -> bool:
        """Whether anybody with an ID token may call it, in a tenant or not."""
        return bool(self.entry["tenancy"] == "person")

    @property
    def parameters(self) -> list[str]:
        """Names of the path parameters."""
        return PARAMETER.findall(self.entry["path"])

    @property
    def described(self) -> dict[str, Any]:
        """What the OpenAPI document says."""
        found: dict[str, Any] = document()["paths"][self.entry["path"]][self.method.lower()]
        return found

    @property
    def query(self) -> list[str]:
        """Names of the query parameters."""
        return [each["name"] for each in map(resolve, self.described["parameters"]) if each["in"] == "query"]

    @property
    def bare_status(self) -> int:
        """What an operation that needs no credential answers to a request with nothing in it."""
        parameters = map(resolve, self.described["parameters"])
        return 422 if any(each["in"] == "query" and each["required"] for each in parameters) else 200

    def route(self, values: Mapping[str, str] | Callable[[str], str] = nothing) -> str:
        """Return the REST route with the path parameters filled in."""
        value = values if callable(values) else values.__getitem__
        path = str(self.entry["path"])
        for name in self.parameters:
            path = path.replace("{" + name + "}", quote(value(name), safe=""))
        return path

    def address(self, value: Callable[[str], str] = nothing) -> str:
        """Return the address of the function itself."""
        return "/".join(["", self.name, *(quote(value(name), safe="") for name in self.parameters)])

    @property
    def media_type(self) -> str | None:
        """Media type of the body, or None."""
        body = self.described.get("requestBody")
        return None if body is None else str(next(iter(body["content"])))

    @property
    def example(self) -> Any:
        """A copy of the example of its body, or None."""
        kind = self.media_type
        return None if kind is None else copy.deepcopy(self.described["requestBody"]["content"][kind]["example"])

    @property
    def schema(self) -> Schema | None:
        """Schema of its JSON body, or None."""
        if self.media_type != "application/json":
            return None
        return resolve(self.described["requestBody"]["content"]["application/json"]["schema"])

    def send(
        self,
        url: str,
        headers: Mapping[str, str],
        path: str | None = None,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send it, with the example as its body unless another is given."""
        body = self.example if body is None else body
        sent = dict(headers)
        if self.entry.get("if_match") == "required":
            sent.setdefault("If-Match", "*")
        options: dict[str, Any] = {}
        if self.media_type == "application/json":
            options["json"] = body
        elif self.media_type is not None:
            options["data"] = body.encode() if isinstance(body, str) else body
            sent["Content-Type"] = self.media_type
        target = url + (path or self.route())
        return _session().request(self.method, target, headers=sent, params=query, timeout=60, **options)


@dataclass(frozen=True)
class Field:
    """A place in a JSON body.

    Attributes:
        path: Steps from the body to it: names, and 0 for the first element of a list.
        schema: Its schema.
    """

    path: tuple[str | int, ...]
    schema: Schema = field(compare=False)

    @property
    def name(self) -> str:
        """The last name on the way."""
        return str(next(step for step in reversed(self.path) if isinstance(step, str)))

    def put(self, body: Any, value: Any) -> Any:
        """Return a copy of a body with the value in this place, making what is missing on the way."""
        body = copy.deepcopy(body)
        here = body
        for step, following in zip(self.path, self.path[1:], strict=False):
            empty: Any = [] if isinstance(following, int) else {}
            if isinstance(step, int):
                if not here:
                    here.append(empty)
            elif here.get(step) is None:
                here[step] = empty
            here = here[step]
        last = self.path[-1]
        if isinstance(last, int):
            here[:] = [value]
        else:
            here[last] = value
        return body


def fields(schema: Schema, path: tuple[str | int, ...] = ()) -> Iterator[Field]:
    """Yield every place in a body of this schema, those in lists once."""
    schema = resolve(schema)
    for member in [*schema.get("anyOf", []), *schema.get("oneOf", [])]:
        yield from fields(member, path)
    for name, inner in schema.get("properties", {}).items():
        yield Field((*path, name), inner)
        yield from fields(inner, (*path, name))
    if "items" in schema:
        yield Field((*path, 0), schema["items"])
        yield from fields(schema["items"], (*path, 0))


def kinds(schema: Schema) -> set[str]:
    """Return the JSON types that a schema allows, without null."""
    schema = resolve(schema)
    found = {schema["type"]} if isinstance(schema.get("type"), str) else set(schema.get("type", []))
    for member in [*schema.get("anyOf", []), *schema.get("oneOf", [])]:
        found |= kinds(member)
    return found - {"null"}


OPERATIONS = [Operation(entry) for entry in load_manifest() if entry["kind"] == "http"]
PRIVATE = [operation for operation in OPERATIONS if operation.name not in PUBLIC]
OF_TENANTS = [operation for operation in PRIVATE if operation.entry["tenancy"] == "tenant"]
EVENT_FUNCTIONS = [entry for entry in load_manifest() if entry["kind"] != "http"]


def problem_of(answer: requests.Response) -> dict[str, Any]:
    """Return the problem document of a refusal, checked for what each must have."""
    assert answer.headers["Content-Type"] == "application/problem+json", (answer.status_code, answer.text[:300])
    told: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "request_id"} <= told.keys(), told
    assert told["status"] == answer.status_code
    assert told["type"] == f"/problems/{told['code']}"
    assert told["request_id"] == answer.headers["X-Request-ID"] != ""
    return told


def refusal(answer: requests.Response) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, problem_of(answer)["code"]
