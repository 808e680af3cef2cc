"""Refuse a request in writing."""

import uuid

from common.answers import Record
from common.context import Context
from common.platform.privacy.requests import service
from common.platform.privacy.requests.models import PrivacyRequest, RequestRefuse
from triggers import http


@http.post(
    "/v1/privacy/requests/{request_id}/refuse",
    scope="privacy:write",
    roles=("admin",),
    if_match="optional",
    needs={
        "firestore:write": "Changes the request.",
    },
)
def privacy_request_refuse(request_id: uuid.UUID, body: RequestRefuse, context: Context) -> Record[PrivacyRequest]:
    """Refuse a request with the reason that the person is told in writing (GDPR art. 12(4))."""
    return service.refuse(context, request_id, body)
