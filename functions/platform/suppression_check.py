"""Look whether an address is suppressed."""

from common.context import Context
from common.platform.privacy import suppressions
from common.platform.privacy.suppression_models import SuppressionAnswer, SuppressionCheck
from triggers import http


@http.post(
    "/v1/privacy/suppressions/check",
    scope="privacy:read",
    roles=("admin",),
    needs={
        "firestore:write": "Reads the entry, and stores the tenant's keys where it has none yet.",
        "kms:use": "Makes the keyed digest of the address.",
    },
)
def suppression_check(body: SuppressionCheck, context: Context) -> SuppressionAnswer:
    """Tell whether an address must not be used for a purpose.

    It is a POST so that the address stays out of addresses and logs; it changes nothing.
    """
    return suppressions.check(context, body)
