"""Make a code that proves who asked."""

import uuid

from common.answers import Answer
from common.context import Context
from common.platform.privacy.requests import verification
from common.platform.privacy.requests.models import VerificationCode
from triggers import http


@http.post(
    "/v1/privacy/requests/{request_id}/verification",
    scope="privacy:write",
    roles=("admin",),
    status=201,
    if_match="optional",
    needs={
        "firestore:write": "Stores the code's keyed digest with the request.",
        "kms:use": "Makes the keyed digest of the code.",
    },
)
def privacy_request_verification(request_id: uuid.UUID, context: Context) -> Answer[VerificationCode]:
    """Make a one-time code, shown this one time; send it to the address you knew before the request came.

    It is good for 72 hours and five attempts, and takes the place of an earlier one.
    """
    return verification.issue(context, request_id)
