"""Imports as people see them: listed and read."""

from __future__ import annotations

from common.answers import Page, Record
from common.aso.imports.entities import IMPORTS
from common.aso.imports.models import Import, ImportListQuery
from common.context import Context
from common.store import Repository


def listed(context: Context, query: ImportListQuery) -> Page[Import]:
    """Return imports of the tenant, newest first."""
    wanted = {"status": query.status, "format": query.format}
    filters = [(name, "==", value) for name, value in wanted.items() if value is not None]
    return Repository(IMPORTS, context).page(filters, limit=query.limit, cursor=query.cursor)


def get(context: Context, import_id: str) -> Record[Import]:
    """Return an import with its version.

    Raises:
        NotFound: ``import_not_found``.
    """
    return Repository(IMPORTS, context).get(import_id)
