"""What must hold for every function, whoever adds it: counted over the manifest, so that none can be forgotten."""

from __future__ import annotations

import ast
import functools
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from triggers.catalogue import CATALOGUE_FILE, render
from triggers.manifest import ROOT, handler_files, load_manifest
from triggers.openapi import OPENAPI_FILE
from triggers.source import read_source

ENTRIES = load_manifest()
EVERY = pytest.mark.parametrize("entry", ENTRIES, ids=[entry["name"] for entry in ENTRIES])

LONGEST_BODY = 15
"""Lines of a handler: it parses, calls one service and returns."""


def test_every_handler_file_is_in_the_manifest() -> None:
    files = {file.relative_to(ROOT).as_posix() for file in handler_files()}
    assert files == {entry["file"] for entry in ENTRIES}
    beneath = {file.relative_to(ROOT).as_posix() for file in (ROOT / "functions").rglob("*.py")}
    assert {file for file in beneath if not file.endswith("__init__.py")} == files


@EVERY
def test_is_described(entry: dict[str, Any]) -> None:
    assert entry["summary"]
    assert entry["description"]


@EVERY
def test_has_a_reason_for_each_permission(entry: dict[str, Any]) -> None:
    for permission, reason in (entry["needs"] | entry["secrets"]).items():
        assert len(reason.split()) > 1, permission


@EVERY
def test_is_in_the_catalogue(entry: dict[str, Any]) -> None:
    rows = CATALOGUE_FILE.read_text(encoding="utf-8").splitlines()
    row = f"| [`{entry['name']}`]({entry['domain']}/{entry['operation']}.py) |"
    assert sum(line.startswith(row) for line in rows) == 1


def test_catalogue_is_fresh() -> None:
    assert render(ENTRIES) == CATALOGUE_FILE.read_text(encoding="utf-8")


@EVERY
def test_http_operation_has_its_path_in_the_openapi_document(entry: dict[str, Any]) -> None:
    paths = json.loads(OPENAPI_FILE.read_text(encoding="utf-8"))["paths"]
    if entry["kind"] == "http":
        assert paths[entry["path"]][entry["method"].lower()]["x-function-name"] == entry["name"]
    else:
        described = {operation["x-function-name"] for route in paths.values() for operation in route.values()}
        assert entry["name"] not in described


@EVERY
def test_handler_is_short(entry: dict[str, Any]) -> None:
    assert read_source(ROOT / entry["file"], ROOT).length <= LONGEST_BODY


@EVERY
def test_has_a_test_that_names_it(entry: dict[str, Any]) -> None:
    """Some test names the function, its module, or its route with its method."""
    names = {entry["name"], entry["module"], f"{entry['module']}.{entry['operation']}"}
    strings, imports, calls = mentions()
    assert names & (strings | imports) or (entry["kind"] == "http" and _is_called(entry, calls))


def _is_called(entry: dict[str, Any], calls: frozenset[tuple[str, str]]) -> bool:
    pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(entry["path"])) + r"(\?.*)?")
    return any(method == entry["method"] and pattern.fullmatch(route) for method, route in calls)


@functools.cache
def mentions() -> tuple[frozenset[str], frozenset[str], frozenset[tuple[str, str]]]:
    """Return what the tests mention: strings, imported functions, and routes with the method they are called by.

    A call is ``anything.post("/v1/...")``, ``anything("POST", "/v1/...")`` or the tuple ``("POST", "/v1/...")`` of a
    parametrised test. Variables that hold a string are followed; parts of an f-string that are known only when it runs
    count as one segment.
    """
    found = Mentions()
    for file in sorted((ROOT / "tests").rglob("*.py")):
        if file != Path(__file__):
            found.read(ast.parse(file.read_text(encoding="utf-8")))
    return frozenset(found.strings), frozenset(found.imports), frozenset(found.calls)


class Mentions:
    """What test files mention."""

    def __init__(self) -> None:
        self.strings: set[str] = set()
        self.imports: set[str] = set()
        self.calls: set[tuple[str, str]] = set()
        self._constants: dict[str, str] = {}

    def read(self, tree: ast.Module) -> None:
        """Collect from one file."""
        self._constants = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.JoinedStr):
                text = self._text(node.value)
                self._constants.update((target.id, text) for target in node.targets if isinstance(target, ast.Name))
        for node in ast.walk(tree):
            self._collect(node)

    def _collect(self, node: ast.AST) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.strings.add(node.value)
        elif isinstance(node, ast.Import):
            self.imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            self.imports.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
        elif isinstance(node, ast.Call):
            texts = [self._text(argument) for argument in node.args]
            if isinstance(node.func, ast.Attribute) and texts:
                self.calls.add((node.func.attr.upper(), texts[0]))
            self.calls.update((first.upper(), second) for first, second in itertools.pairwise(texts))
        elif isinstance(node, ast.Tuple):
            texts = [self._text(element) for element in node.elts]
            self.calls.update((first.upper(), second) for first, second in itertools.pairwise(texts))

    def _text(self, node: ast.expr) -> str:
        if isinstance(node, ast.Constant):
            return str(node.value)
        if isinstance(node, ast.JoinedStr):
            return "".join(self._text(part) for part in node.values)
        if isinstance(node, ast.FormattedValue):
            return self._text(node.value) or "x"
        return self._constants.get(node.id, "") if isinstance(node, ast.Name) else ""


NOWHERE = {
    "platform-consent-record": "a consent is a line of a ledger, read by person",
    "platform-privacy-request-verification": "a code is shown once and read nowhere",
    "platform-suppression-add": "a suppression is known by a digest that nobody reads",
    "tenants-account-link": "an attempt to link is followed at the provider's address",
}
"""Operations that make what has no address, with the reason."""


def _says_itself(entry: dict[str, Any]) -> bool:
    """Tell whether an operation wraps its answer: the services that do so for 201 name the place."""
    responses = json.loads(OPENAPI_FILE.read_text(encoding="utf-8"))["paths"][entry["path"]]["post"]["responses"]
    return "Location" in responses["201"].get("headers", {})


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.get("status") == 201], ids=lambda e: e["name"])
def test_tells_where_to_read_what_it_made(entry: dict[str, Any]) -> None:
    if entry["location"] is not None:
        readable = {(other["method"], other["path"]) for other in ENTRIES if other["kind"] == "http"}
        assert ("GET", entry["location"]) in readable
    else:
        assert entry["name"] in NOWHERE or _says_itself(entry)
