"""Record what a person asks for about their data."""

from common.answers import Answer, Record
from common.context import Context
from common.platform.privacy.requests import service
from common.platform.privacy.requests.models import PrivacyRequest, RequestCreate
from triggers import http


@http.post(
    "/v1/privacy/requests",
    scope="privacy:write",
    roles=("admin",),
    status=201,
    needs={
        "firestore:write": "Stores the request, and the tenant's keys where it has none yet.",
        "kms:use": "Makes the keyed digests of the person's identifiers.",
    },
)
def privacy_request_create(body: RequestCreate, context: Context) -> Answer[Record[PrivacyRequest]]:
    """Record a request for access, erasure, rectification or restriction, or an objection.

    It has to be answered within thirty days of `received_at` (GDPR art. 12(3)); `due_at` says when.
    """
    return service.create(context, body)
