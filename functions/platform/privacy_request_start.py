"""Begin what a request asks for."""

import uuid

from common.answers import Record
from common.context import Context
from common.platform.privacy.requests import starting
from common.platform.privacy.requests.models import PrivacyRequest, RequestStart
from triggers import http


@http.post(
    "/v1/privacy/requests/{request_id}/start",
    scope="privacy:write",
    roles=("admin",),
    if_match="optional",
    needs={
        "firestore:write": "Changes the request, begins its job, and sets restrictions and suppressions.",
        "kms:use": "Makes the keyed digests of the person's identifiers.",
    },
)
def privacy_request_start(request_id: uuid.UUID, body: RequestStart, context: Context) -> Record[PrivacyRequest]:
    """Begin a request: an export or an erasure as a job, a restriction or an objection at once.

    An erasure is planned first (`plan_job_id`); the same call with the plan's `confirm` begins it. What a legal hold
    keeps is refused with 423 `legal_hold` and begins by itself when the hold is released.
    """
    return starting.start(context, request_id, body)
