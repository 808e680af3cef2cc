"""Get a link to an access export."""

import uuid

from common.context import Context
from common.platform.privacy import access
from common.platform.privacy.access import AccessLink
from triggers import http


@http.get(
    "/v1/privacy/requests/{request_id}/link",
    scope="privacy:read",
    roles=("admin",),
    needs={
        "firestore:read": "Reads the request and its job.",
        "storage:read": "Looks whether the file is there; the link opens what this account may read.",
        "storage:sign": "Signs the link as the function's own account.",
    },
)
def privacy_access_link(request_id: uuid.UUID, context: Context) -> AccessLink:
    """Return a link to the file that answers a request for access, for a quarter of an hour.

    The file is a ZIP of JSON lines with a manifest. 409 `privacy_export_not_ready` until it is made; it is deleted a
    week later, 404 `privacy_export_expired` from then on.
    """
    return access.link(context, request_id)
