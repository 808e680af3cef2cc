"""Read an import."""

from common.answers import Record
from common.aso.imports import reads
from common.aso.imports.models import Import
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/imports/{import_id}",
    scope="aso:read",
    needs={"firestore:read": "Reads the import."},
)
def import_get(import_id: str, context: Context) -> Record[Import]:
    """Return an import: how the file was read, what became of its rows, and whether it has been undone."""
    return reads.get(context, import_id)
