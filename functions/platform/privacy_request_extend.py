"""Extend the deadline of a request."""

import uuid

from common.answers import Record
from common.context import Context
from common.platform.privacy.requests import service
from common.platform.privacy.requests.models import PrivacyRequest, RequestExtend
from triggers import http


@http.post(
    "/v1/privacy/requests/{request_id}/extend",
    scope="privacy:write",
    roles=("admin",),
    if_match="optional",
    needs={
        "firestore:write": "Changes the request.",
    },
)
def privacy_request_extend(request_id: uuid.UUID, body: RequestExtend, context: Context) -> Record[PrivacyRequest]:
    """Extend the deadline by two months, once and with a written reason that the person is told (GDPR art. 12(3))."""
    return service.extend(context, request_id, body)
