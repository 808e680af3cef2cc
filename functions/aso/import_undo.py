"""Undo an import."""

from common.answers import Answer
from common.aso.imports import service
from common.context import Context
from common.jobs.models import JobView
from triggers import http


@http.post(
    "/v1/aso/imports/{import_id}/undo",
    scope="aso:write",
    rate="expensive",
    status=202,
    if_match="optional",
    needs={"firestore:write": "Begins the job and marks the import."},
)
def import_undo(import_id: str, context: Context) -> Answer[JobView]:
    """Take back what an import did, the newest or an older one; a job does it, follow it at `Location`.

    Keywords it made are deleted, what it changed gets its earlier values, its ranks and search performance go. What was
    changed since is left alone and counted (`kept_changed`). Imports can be undone for 400 days (`undo_expired`), once
    (`import_undone`), when they are over (`import_running`).
    """
    return service.start_undo(context, import_id)
