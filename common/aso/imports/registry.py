"""The tools whose exports are read. A new one is a module with a ``DIALECT`` and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from common.aso.imports import ahrefs, keyword_planner, plain_csv, search_console, semrush
from common.aso.imports.dialect import Dialect

DIALECTS: Mapping[str, Dialect] = {
    each.format: each
    for each in (
        search_console.DIALECT,
        semrush.DIALECT,
        ahrefs.DIALECT,
        keyword_planner.DIALECT,
        plain_csv.DIALECT,
    )
}
