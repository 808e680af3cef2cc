"""Names in data sets, tables, paths and keys come from validated identifiers, values from parameters only."""

from __future__ import annotations

import ast
import json
import uuid
from pathlib import Path

import pytest

from tests.operations import refusal
from tests.stack import Stack
from triggers.manifest import ROOT

BAD = [
    "x;drop",
    "../",
    "..",
    "a/b",
    "Acme",
    "ACME",
    "a" * 64,
    "a" * 1000,
    "a",
    "",
    "_platform",
    "_acme",
    "a-b",
    "a.b",
    "a`b",
    "a'b",
    'a"b',
    "a b",
    "a\nb",
    "acme\u0000",
    "\u0430cme",
    "acmé",
    "\uff11\uff12",
    "a{b}",
    "a:b",
    "*",
]


@pytest.mark.parametrize("tenant_id", BAD)
def test_tenant_id_is_refused(tenant_id: str, cloud: Stack) -> None:
    answer = cloud.post("/v1/tenants", {"tenant_id": tenant_id, "name": "x"})
    assert refusal(answer) == (422, "validation_failed")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/tenant_id"]


def test_longest_tenant_id_works(cloud: Stack) -> None:
    tenant = cloud.tenant(uuid.uuid4().hex + "_" * 31)
    assert len(tenant.tenant_id) == 63
    assert tenant.client.get("/v1/aso/stats").status_code == 200


@pytest.mark.parametrize("kind", [7, True, ["acme"], {"a": 1}])
def test_tenant_id_is_a_text(kind: object, cloud: Stack) -> None:
    answer = cloud.post("/v1/tenants", {"tenant_id": kind, "name": "x"})
    assert refusal(answer) == (422, "validation_failed"), json.dumps(kind)


def modules() -> list[Path]:
    return [file for folder in ("common", "functions") for file in sorted((ROOT / folder).rglob("*.py"))]


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


QUERIES = {"common/warehouse/query.py"}
"""The only module that sends text to BigQuery."""


def test_statements_go_through_one_module() -> None:
    senders = set()
    for file in modules():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            # A load job carries rows and no statement.
            if not isinstance(node, ast.Call) or _called(node) == "load_table_from_file":
                continue
            if any(word.arg == "job_config" for word in node.keywords):
                senders.add(file.relative_to(ROOT).as_posix())
    assert senders <= QUERIES
    assert senders, "the rule above still recognises a query"


def test_no_statement_is_put_together_from_values() -> None:
    """SQL is a literal, or put together from names the declarations give: never formatted with what a caller sent."""
    suspicious = []
    for file in modules():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr) and _is_sql(node):
                names = {
                    inner.id
                    for part in node.values
                    if isinstance(part, ast.FormattedValue)
                    for inner in ast.walk(part)
                    if isinstance(inner, ast.Name)
                }
                if names & FROM_CALLERS:
                    suspicious.append((file.relative_to(ROOT).as_posix(), node.lineno, sorted(names & FROM_CALLERS)))
    assert suspicious == []


FROM_CALLERS = {"body", "query", "parameters", "value", "values", "row", "tenant_id", "document_id", "record", "change"}
"""Names of variables that hold what callers sent."""


def _is_sql(node: ast.JoinedStr) -> bool:
    text = "".join(part.value for part in node.values if isinstance(part, ast.Constant) and isinstance(part.value, str))
    return any(word in text for word in ("SELECT ", "INSERT ", "MERGE ", "DELETE FROM", "UPDATE ", "WHERE ", "CREATE "))
