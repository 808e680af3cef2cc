"""Check the code that proves who asked."""

import uuid

from common.answers import Record
from common.context import Context
from common.platform.privacy.requests import verification
from common.platform.privacy.requests.models import CodeGiven, PrivacyRequest
from triggers import http


@http.post(
    "/v1/privacy/requests/{request_id}/verify",
    scope="privacy:write",
    roles=("admin",),
    if_match="optional",
    needs={
        "firestore:write": "Marks the request as verified, or counts the attempt.",
        "kms:use": "Makes the keyed digest of the code.",
    },
)
def privacy_request_verify(request_id: uuid.UUID, body: CodeGiven, context: Context) -> Record[PrivacyRequest]:
    """Check the code that the person gave back; the request is `verified` then.

    A wrong code is counted and answered with 422 `code_wrong`, the sixth with 409 `too_many_attempts`, an old one with
    410 `expired`.
    """
    return verification.verify(context, request_id, body)
