"""List legal holds."""

from common.answers import Page
from common.context import Context
from common.platform.privacy import holds
from common.platform.privacy.hold_models import HoldListQuery
from common.protection.models import LegalHold
from triggers import http


@http.get(
    "/v1/privacy/holds",
    scope="privacy:read",
    roles=("admin",),
    needs={
        "firestore:read": "Lists the holds.",
    },
)
def hold_list(query: HoldListQuery, context: Context) -> Page[LegalHold]:
    """List holds, the latest first, all of them or those of one status."""
    return holds.listed(context, query)
