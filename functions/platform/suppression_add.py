"""Put an address on the suppression list."""

from common.answers import Answer, Record
from common.context import Context
from common.platform.privacy import suppressions
from common.platform.privacy.suppression_models import SuppressionAdd, SuppressionEntry
from triggers import http


@http.post(
    "/v1/privacy/suppressions",
    scope="privacy:write",
    roles=("admin",),
    status=201,
    needs={
        "firestore:write": "Stores the entry.",
        "kms:use": "Makes the keyed digest of the address.",
    },
)
def suppression_add(body: SuppressionAdd, context: Context) -> Answer[Record[SuppressionEntry]]:
    """Put an address on the list of a purpose, or of everything; only its keyed digest is kept."""
    return suppressions.add(context, body)
