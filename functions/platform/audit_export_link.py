"""Get a link to an exported audit trail."""

import uuid

from common.context import Context
from common.exports.models import ExportLink
from common.platform.audit import exporting
from triggers import http


@http.get(
    "/v1/audit/exports/{export_id}/link",
    scope="audit:read",
    roles=("admin",),
    needs={
        "firestore:read": "Reads the job of the export.",
        "storage:read": "Looks whether the file is there; the link opens what this account may read.",
        "storage:sign": "Signs the link as the function's own account.",
    },
)
def audit_export_link(export_id: uuid.UUID, context: Context) -> ExportLink:
    """Return a link to the file of an export, for a quarter of an hour; `export_id` is the id of its job.

    409 `export_not_ready` until the job has succeeded, 409 `export_failed` where it failed or was cancelled, 404
    `export_expired` when the file was deleted with other old reports.
    """
    return exporting.link(context, export_id)
