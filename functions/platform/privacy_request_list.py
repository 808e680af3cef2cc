"""List what people asked for about their data."""

from common.answers import Page
from common.context import Context
from common.platform.privacy.requests import service
from common.platform.privacy.requests.models import PrivacyRequest, RequestListQuery
from triggers import http


@http.get(
    "/v1/privacy/requests",
    scope="privacy:read",
    roles=("admin",),
    needs={
        "firestore:read": "Lists the requests.",
    },
)
def privacy_request_list(query: RequestListQuery, context: Context) -> Page[PrivacyRequest]:
    """List requests, the latest received first, by status, type and state of the deadline."""
    return service.listed(context, query)
