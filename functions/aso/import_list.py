"""List imports."""

from common.answers import Page
from common.aso.imports import reads
from common.aso.imports.models import Import, ImportListQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/imports",
    scope="aso:read",
    needs={"firestore:read": "Lists the imports."},
)
def import_list(query: ImportListQuery, context: Context) -> Page[Import]:
    """List imports, newest first, by status and tool."""
    return reads.listed(context, query)
