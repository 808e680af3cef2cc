"""The manifest: every function of the repository, what fires it and what it may do, in one generated file.

``triggers/manifest.json`` is read by Terraform, the local cloud, the OpenAPI generator, the bundler and the tests. It
is made from ``functions/<domain>/<operation>.py`` without importing them. Run as
``python -m triggers.manifest [--check]``.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import sys
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common.errors import DeclarationError
from triggers.cron import parse_cron
from triggers.declaration import KINDS, Declaration, Message, Retry
from triggers.source import Source, read_source

ROOT = Path(__file__).parent.parent
MANIFEST_FILE = Path(__file__).with_name("manifest.json")
SCHEMA_FILE = Path(__file__).with_name("manifest.schema.json")

DEAD_LETTERS = "*dead-letter*"
LONGEST_FILTER = 256
"""Bytes of a subscription's filter that Pub/Sub takes."""

Entry = dict[str, Any]

IMPLICIT_NEEDS: Mapping[str, Mapping[str, str]] = {
    "credential": {
        "firestore:read": "checks the caller's API key",
        "redis:use": "counts calls against the caller's rate limit",
    },
    "idempotency": {"firestore:write": "remembers the answer to an Idempotency-Key"},
    "event": {"firestore:write": "sets poison events aside"},
}
"""Permissions that come with the kind of function, because the trigger library itself needs them."""

ROLES_BY_NAME = {"body": "body", "query": "query"}
ROLES_BY_ANNOTATION = {
    "Context": "context",
    "Upload": "upload",
    "MessageDelivery": "message",
    "Envelope": "envelope",
    "DocumentDelivery": "change",
    "ScheduledRun": "run",
    "TaskDelivery": "delivery",
}
ROLES_OF_KIND: Mapping[str, frozenset[str]] = {
    "http": frozenset({"body", "query", "path", "context", "upload"}),
    "message": frozenset({"message", "envelope", "context"}),
    "document": frozenset({"change", "context"}),
    "schedule": frozenset({"run", "context"}),
    "task": frozenset({"body", "delivery", "context"}),
}


class Declared(NamedTuple):
    """One function: where it stands and its entry of the manifest."""

    source: Source
    entry: Entry


def load_manifest(file: Path = MANIFEST_FILE) -> list[Entry]:
    """Return the committed entries, sorted by name."""
    functions: list[Entry] = json.loads(file.read_text(encoding="utf-8"))["functions"]
    return functions


def build_manifest(root: Path = ROOT) -> list[Entry]:
    """Read every handler file below ``root`` and return the entries, sorted by name.

    Raises:
        DeclarationError: A declaration is wrong, by itself or together with the others; names file and line.
    """
    declared = [_function(file, root) for file in handler_files(root)]
    declared.sort(key=lambda function: function.entry["name"])
    _check_routes(declared)
    _check_targets(declared, entity_topics(root))
    for function in declared:
        _check_schema(function)
    return [function.entry for function in declared]


def handler_files(root: Path = ROOT) -> list[Path]:
    """Return ``functions/<domain>/<operation>.py`` below ``root``, sorted."""
    return sorted(file for file in (root / "functions").glob("*/*.py") if file.name != "__init__.py")


def entity_topics(root: Path = ROOT) -> frozenset[str]:
    """Return the topics that exist because a domain declares entities."""
    records = json.loads((root / "common" / "entities.json").read_text(encoding="utf-8"))["entities"]
    return frozenset(f"{record['domain']}-events" for record in records)


def dead_letter_topics(entries: Sequence[Entry]) -> frozenset[str]:
    """Return the dead-letter topics of the consumers."""
    return frozenset(
        f"{entry['name']}-dead-letter" for entry in entries if entry["kind"] == "message" and entry["dead_letter"]
    )


def render(entries: Sequence[Entry]) -> str:
    """Return the file's text: sorted by name, indented, with a final newline."""
    return json.dumps({"functions": list(entries)}, indent=2, ensure_ascii=False) + "\n"


def declaration_of(entry: Entry) -> Declaration:
    """Return the declaration an entry was made from."""
    kind = KINDS[entry["kind"]]
    values = {field.name: entry[field.name] for field in dataclasses.fields(kind)}
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = tuple(value)
    if "retry" in values:
        values["retry"] = Retry(**values["retry"])
    return kind(**values)  # type: ignore[return-value]  # KINDS holds exactly the members of Declaration


def _function(file: Path, root: Path) -> Declared:
    source = read_source(file, root)
    domain = file.parent.name
    declaration = _declaration(source)
    parameters = [_parameter(source, declaration, index) for index in range(len(source.arguments))]
    fields = {
        field.name: _jsonable(getattr(declaration, field.name)) for field in dataclasses.fields(KINDS[source.kind])
    }
    fields["needs"] = dict(sorted({**_implicit_needs(declaration), **declaration.needs}.items()))
    fields["secrets"] = dict(sorted(declaration.secrets.items()))
    entry: Entry = {
        "name": f"{domain}-{file.stem}".replace("_", "-"),
        "kind": source.kind,
        "domain": domain,
        "operation": file.stem,
        "module": f"functions.{domain}.{file.stem}",
        "entry_point": source.handler,
        "file": source.file,
        "summary": source.summary,
        "description": source.description,
        "parameters": parameters,
        "returns": source.returns or "None",
        **fields,
    }
    if isinstance(declaration, Message):
        entry["subscription_filter"] = declaration.subscription_filter(entry["name"])
    function = Declared(source, entry)
    _check_function(function)
    return function


def _declaration(source: Source) -> Declaration:
    kind = KINDS[source.kind]
    known = {field.name for field in dataclasses.fields(kind)}
    for name in source.declared:
        if name not in known:
            raise source.refuse(f"{source.kind} knows no {name}", name)
    for name in ("needs", "secrets"):
        if not isinstance(source.declared.get(name, {}), dict):
            raise source.refuse(f"{name} maps each one to its reason", name)
    try:
        return kind(**source.declared)  # type: ignore[return-value]  # KINDS holds exactly the members of Declaration
    except TypeError as error:
        raise source.refuse(str(error)) from error


def _jsonable(value: object) -> object:
    if isinstance(value, Retry):
        return dataclasses.asdict(value)
    if isinstance(value, tuple):
        return [_jsonable(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


def _implicit_needs(declaration: Declaration) -> dict[str, str]:
    if KINDS["http"] is not type(declaration):
        return dict(IMPLICIT_NEEDS["event"])
    if getattr(declaration, "public", False):
        return {}
    needs = dict(IMPLICIT_NEEDS["credential"])
    if getattr(declaration, "method", "") in {"POST", "PATCH"}:
        needs |= IMPLICIT_NEEDS["idempotency"]
    return needs


def path_parameters(path: str) -> list[str]:
    """Return the names of a path's parameters, in order."""
    return re.findall(r"\{([^{}]*)\}", path)


def _parameter(source: Source, declaration: Declaration, index: int) -> dict[str, str]:
    argument = source.arguments[index]
    path = getattr(declaration, "path", "") if source.kind == "http" else ""
    if not argument.annotation:
        raise DeclarationError(source.file, argument.line, f"{argument.name} has no annotation")
    role = "path" if argument.name in path_parameters(str(path)) else ROLES_BY_NAME.get(argument.name)
    role = role or ROLES_BY_ANNOTATION.get(argument.annotation)
    if role is None or role not in ROLES_OF_KIND[source.kind]:
        detail = f"{argument.name}: {argument.annotation} is nothing that a {source.kind} function is given"
        raise DeclarationError(source.file, argument.line, detail)
    return {"name": argument.name, "annotation": argument.annotation, "role": role}


def _check_function(function: Declared) -> None:
    _check_needs(function)
    checks = {"http": _check_http, "schedule": _check_schedule, "message": _check_message}
    kind = function.source.kind
    if kind in checks:
        checks[kind](function)


PERMISSION = re.compile(
    r"firestore:(read|write)|bigquery:(read|write|administer|erase)|storage:(archive|read|sign|write)|redis:use|kms:use|firebase:administer"
    r"|pubsub:publish:(\*|[a-z][a-z0-9-]+)|tasks:enqueue:(\*|[a-z][a-z0-9-]+)"
)


def _check_needs(function: Declared) -> None:
    source, entry = function
    for field in ("needs", "secrets"):
        for name, reason in entry[field].items():
            if not isinstance(reason, str) or len(reason.split()) < 2:
                raise source.refuse(f"{field}: {name!r} needs a reason, as a sentence", field)
    for permission in entry["needs"]:
        if not PERMISSION.fullmatch(permission):
            raise source.refuse(f"needs: there is no permission {permission!r}", "needs")


def _check_http(function: Declared) -> None:
    source, entry = function
    path = entry["path"]
    pattern = _function_schema()["$defs"]["function"]["allOf"][0]["then"]["properties"]["path"]["pattern"]
    if not isinstance(path, str) or not re.fullmatch(pattern, path):
        raise source.refuse(f"path: {path!r} is not a route such as /v1/aso/content/{{content_id}}", "path")
    names = path_parameters(path)
    if len(set(names)) != len(names):
        raise source.refuse(f"path: {path!r} names a parameter twice", "path")
    missing = set(names) - {parameter["name"] for parameter in entry["parameters"]}
    if missing:
        raise source.refuse(f"path: the handler takes no argument {', '.join(sorted(missing))}", "path")
    of_person = entry["tenancy"] == "person"
    if not entry["public"] and not of_person and not entry["scope"]:
        raise source.refuse("scope: an operation that is not public asks for a scope", "scope")
    if of_person and (entry["public"] or entry["scope"] or entry["roles"]):
        raise source.refuse("tenancy: a person without a tenant has neither scope nor roles", "tenancy")
    if entry["public"] and (entry["scope"] or entry["roles"]):
        raise source.refuse("public: an operation without a credential can ask for neither scope nor roles", "public")
    roles = {parameter["role"] for parameter in entry["parameters"]}
    if entry["method"] in {"GET", "DELETE"} and roles & {"body", "upload"}:
        raise source.refuse(f"a {entry['method']} request has no body")
    if {"body", "upload"} <= roles:
        raise source.refuse("a request has one body: either a model or an upload")


def _check_schedule(function: Declared) -> None:
    source, entry = function
    try:
        parse_cron(str(entry["cron"]))
    except ValueError as error:
        raise source.refuse(f"cron: {error}", "cron") from error
    try:
        zoneinfo.ZoneInfo(str(entry["time_zone"]))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise source.refuse(f"time_zone: there is no {entry['time_zone']!r}", "time_zone") from error


def _check_message(function: Declared) -> None:
    source, entry = function
    if len(entry["subscription_filter"].encode()) > LONGEST_FILTER:
        raise source.refuse(f"filter: with that of replays it is longer than {LONGEST_FILTER} bytes", "filter")
    if entry["topic"] == DEAD_LETTERS and entry["dead_letter"]:
        raise source.refuse("dead_letter: a consumer of dead letters has none itself", "topic")


def _check_routes(declared: Sequence[Declared]) -> None:
    names: dict[str, Source] = {}
    routes: list[Declared] = []
    for function in declared:
        source, entry = function
        if entry["name"] in names:
            raise source.refuse(f"{entry['name']} is already declared in {names[entry['name']].file}")
        names[entry["name"]] = source
        if source.kind != "http":
            continue
        for other in routes:
            _check_pair(function, other)
        routes.append(function)


def _check_pair(function: Declared, other: Declared) -> None:
    """Refuse two routes of which one request could mean both, or that OpenAPI cannot tell apart."""
    (source, entry), (earlier, known) = function, other
    mine, theirs = entry["path"].split("/"), known["path"].split("/")
    if len(mine) != len(theirs):
        return
    if re.sub(r"\{.*?\}", "{}", entry["path"]) == re.sub(r"\{.*?\}", "{}", known["path"]):
        if entry["path"] != known["path"]:
            raise source.refuse(f"path: {earlier.file} calls the same parameter otherwise: {known['path']}", "path")
        if entry["method"] == known["method"]:
            detail = f"path: {entry['method']} {entry['path']} is already declared in {earlier.file}"
            raise source.refuse(detail, "path")
        return
    if entry["method"] != known["method"]:
        return
    pairs = [(a.startswith("{"), b.startswith("{")) for a, b in zip(mine, theirs, strict=True) if a != b]
    overlapping = all(any(pair) for pair in pairs)
    if overlapping and (True, False) in pairs and (False, True) in pairs:
        raise source.refuse(
            f"path: {entry['path']} and {known['path']} ({earlier.file}) match the same request", "path"
        )


def _check_targets(declared: Sequence[Declared], entity_events: frozenset[str]) -> None:
    entries = [function.entry for function in declared]
    tasks = frozenset(entry["name"] for entry in entries if entry["kind"] == "task")
    topics = entity_events | dead_letter_topics(entries)
    for source, entry in declared:
        if entry["kind"] == "message" and entry["topic"] not in topics | {DEAD_LETTERS}:
            known = ", ".join(sorted(topics)) or "none"
            raise source.refuse(f"topic: no domain has the topic {entry['topic']!r} (known: {known})", "topic")
        entry["needs"] = dict(sorted(_resolved(source, entry["needs"], tasks, entity_events, topics)))


def _resolved(
    source: Source, needs: Mapping[str, str], tasks: frozenset[str], events: frozenset[str], topics: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Check each target and write ``*`` out: every task function, or the event topic of every domain."""
    for permission, reason in needs.items():
        action, _, target = permission.rpartition(":")
        if action == "tasks:enqueue":
            known, every, what = tasks, tasks, "task function"
        elif action == "pubsub:publish":
            known, every, what = topics, events, "topic"
        else:
            yield permission, reason
            continue
        if target == "*":
            yield from ((f"{action}:{name}", reason) for name in every)
        elif target in known:
            yield permission, reason
        else:
            raise source.refuse(f"needs: {permission!r}: there is no {what} {target!r}", "needs")


@functools.cache
def _function_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


def _check_schema(function: Declared) -> None:
    """Hold an entry against the JSON Schema and point at the field it refuses."""
    import jsonschema

    source, entry = function
    validator = jsonschema.Draft202012Validator(_function_schema())
    # The deepest error is the cause; a field that is refused also makes the whole entry look unknown.
    errors = sorted(validator.iter_errors({"functions": [entry]}), key=lambda error: -len(error.path))
    if errors:
        where = [str(step) for step in errors[0].path][2:]
        detail = f"{'.'.join(where)}: {errors[0].message}" if where else errors[0].message
        raise source.refuse(detail, where[0] if where else "")
    if entry["min_instances"] > entry["max_instances"]:
        raise source.refuse("min_instances: more than max_instances", "min_instances")


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write the file, or with ``--check`` tell whether it is fresh."""
    try:
        text = render(build_manifest(root))
    except DeclarationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    file = root / "triggers" / "manifest.json"
    if "--check" in arguments:
        fresh = file.exists() and file.read_text(encoding="utf-8") == text
        if not fresh:
            sys.stderr.write("triggers/manifest.json is stale: run nox -s manifest\n")
        return 0 if fresh else 1
    file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
