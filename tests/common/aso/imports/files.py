"""Reading files in tests: the plan and the parsed rows of some bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date
from typing import Any

from common.aso.imports.plan import Plan, plan_of
from common.aso.imports.rows import parsed_rows
from common.aso.imports.table import Circumstances, ParsedRow

TODAY = date(2026, 5, 17)
UNKNOWN_PERIOD = Circumstances(as_of=TODAY, days=None, latest=TODAY)
APRIL = Circumstances(as_of=date(2026, 4, 30), days=30, latest=TODAY, first=date(2026, 4, 1))


def planned(content: bytes, wanted: str = "auto", mapping: Mapping[str, str | None] | None = None) -> Plan:
    """Return the plan of a file."""
    return plan_of(content, wanted, mapping or {}, None)


def parsed(
    content: bytes,
    circumstances: Circumstances = UNKNOWN_PERIOD,
    wanted: str = "auto",
    mapping: Mapping[str, str | None] | None = None,
) -> list[ParsedRow]:
    """Return the rows of a file."""
    return list(parsed_rows(io.BytesIO(content), planned(content, wanted, mapping), circumstances))


def codes(row: ParsedRow) -> list[tuple[str, str]]:
    """Return what is wrong with a row: column and code."""
    return [(problem.column, problem.code) for problem in row.problems]


def said(row: ParsedRow) -> dict[str, Any]:
    """Return everything that a row says, without where it stands."""
    return {
        "keyword": row.keyword,
        "metrics": dict(row.metrics),
        "ranks": [dict(rank) for rank in row.ranks],
        "facts": [dict(fact) for fact in row.facts],
        "problems": [problem.code for problem in row.problems],
    }
