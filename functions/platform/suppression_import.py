"""Put many addresses on the suppression list."""

from common.context import Context
from common.platform.privacy import suppressions
from common.platform.privacy.suppression_models import SuppressionImport, SuppressionImported
from triggers import http


@http.post(
    "/v1/privacy/suppressions/import",
    scope="privacy:write",
    roles=("admin",),
    needs={
        "firestore:write": "Stores the entries.",
        "kms:use": "Makes the keyed digests of the addresses.",
    },
)
def suppression_import(body: SuppressionImport, context: Context) -> SuppressionImported:
    """Put up to 1,000 addresses on the list of a purpose.

    What is no address is refused, named by its position; the others are taken.
    """
    return suppressions.imported(context, body)
