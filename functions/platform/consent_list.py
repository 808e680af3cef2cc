"""List the consent ledger."""

from common.answers import Page
from common.context import Context
from common.platform.privacy.consents import service
from common.platform.privacy.consents.models import ConsentListQuery, ConsentRecord
from triggers import http


@http.get(
    "/v1/privacy/consents",
    scope="privacy:read",
    roles=("admin",),
    needs={
        "firestore:read": "Lists the entries.",
    },
)
def consent_list(query: ConsentListQuery, context: Context) -> Page[ConsentRecord]:
    """List entries, the latest statement first, by purpose and by person (the digests that a lookup answers)."""
    return service.listed(context, query)
