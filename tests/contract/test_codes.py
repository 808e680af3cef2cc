"""The stable codes of problems: well formed, and those the reference promises are really told."""

from __future__ import annotations

import ast
import functools
import re

from common import errors
from tests.operations import OPERATIONS, document
from triggers.manifest import ROOT

CODE = re.compile(document()["components"]["schemas"]["Problem"]["properties"]["code"]["pattern"])
PROMISED = re.compile(r"\(`([a-z]+(?:_[a-z]+)+)`|\b4\d\d `([a-z]+(?:_[a-z]+)+)`")
"""How descriptions name a code: in brackets, or after its status."""

REFUSALS = {kind.__name__ for kind in errors.Refusal.__subclasses__()} | {"unauthenticated", "PydanticCustomError"}


@functools.cache
def literals() -> frozenset[str]:
    """Return every text in the source that could be a code."""
    found = set()
    for folder in ("common", "triggers"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
    return frozenset(found)


def raised() -> set[str]:
    """Return the codes that refusals are made with."""
    found = set()
    for folder in ("common", "triggers"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REFUSALS:
                    first = node.args[0] if node.args else None
                    if isinstance(first, ast.Constant):
                        found.add(str(first.value))
    return found


def test_every_code_is_well_formed() -> None:
    codes = raised()
    assert len(codes) > 40
    assert [code for code in codes if not CODE.fullmatch(code)] == []


def test_every_code_that_a_description_promises_is_told_somewhere() -> None:
    promised: dict[str, str] = {}
    for operation in OPERATIONS:
        for groups in PROMISED.findall(operation.described["description"]):
            promised |= dict.fromkeys(filter(None, groups), operation.name)
    assert len(promised) > 10
    named = {f"{entity}_not_found" for entity in ("content_piece", "keyword", "opportunity", "job", "tenant")}
    assert {code: user for code, user in promised.items() if code not in literals() | named} == {}
