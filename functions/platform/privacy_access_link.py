"""Get a link to an access export."""

import uuid

from common.context import Context
from common.platform.privacy import access
from common.platform.privacy.access import AccessLink
from triggers import http


@http.get(
    "/v1/privacy/exports/{export_id}/link",
    scope="privacy:read",
    roles=("admin",),
    needs={
        "firestore:read": "Reads the job of the export.",
        "storage:read": "Looks whether the file is there; the link opens what this account may read.",
        "storage:sign": "Signs the link as the function's own account.",
    },
)
def privacy_access_link(export_id: uuid.UUID, context: Context) -> AccessLink:
    """Return a link to the file of an access export, for a quarter of an hour; `export_id` is the id of its job.

    The file is a ZIP of JSON lines with a manifest. It is deleted a week after it was made: 404
    `privacy_export_expired` from then on.
    """
    return access.link(context, export_id)
