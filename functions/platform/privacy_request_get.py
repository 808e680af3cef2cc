"""Read what a person asked for about their data."""

import uuid

from common.answers import Record
from common.context import Context
from common.platform.privacy.requests import service
from common.platform.privacy.requests.models import PrivacyRequest
from triggers import http


@http.get(
    "/v1/privacy/requests/{request_id}",
    scope="privacy:read",
    roles=("admin",),
    needs={
        "firestore:read": "Reads the request.",
    },
)
def privacy_request_get(request_id: uuid.UUID, context: Context) -> Record[PrivacyRequest]:
    """Read a request: how far it is, until when it has to be answered, and what it waits for."""
    return service.get(context, request_id)
