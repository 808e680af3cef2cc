"""Say that a rectification was made."""

import uuid

from common.answers import Record
from common.context import Context
from common.platform.privacy.requests import service
from common.platform.privacy.requests.models import PrivacyRequest, RequestClose
from triggers import http


@http.post(
    "/v1/privacy/requests/{request_id}/complete",
    scope="privacy:write",
    roles=("admin",),
    if_match="optional",
    needs={
        "firestore:write": "Changes the request.",
    },
)
def privacy_request_complete(request_id: uuid.UUID, body: RequestClose, context: Context) -> Record[PrivacyRequest]:
    """Say what was corrected; requests of the other types are done when their work is."""
    return service.complete(context, request_id, body)
