"""Look up what may be done with a person's data."""

from common.context import Context
from common.platform.privacy.consents import service
from common.platform.privacy.consents.models import ConsentLookup, Standing
from triggers import http


@http.post(
    "/v1/privacy/consents/lookup",
    scope="privacy:read",
    roles=("admin",),
    needs={
        "firestore:write": "Reads the ledger, and stores the tenant's keys where it has none yet.",
        "kms:use": "Makes the keyed digests of the person's identifiers.",
    },
)
def consent_lookup(body: ConsentLookup, context: Context) -> Standing:
    """Return what holds for each purpose: consent, objections, restrictions and suppressions considered together.

    It is a POST so that the address stays out of addresses and logs; it changes nothing.
    """
    return service.standing(context, body)
