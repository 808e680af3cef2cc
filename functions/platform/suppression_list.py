"""List the suppression list."""

from common.answers import Page
from common.context import Context
from common.platform.privacy import suppressions
from common.platform.privacy.suppression_models import SuppressionEntry, SuppressionListQuery
from triggers import http


@http.get(
    "/v1/privacy/suppressions",
    scope="privacy:read",
    roles=("admin",),
    needs={
        "firestore:read": "Lists the entries.",
    },
)
def suppression_list(query: SuppressionListQuery, context: Context) -> Page[SuppressionEntry]:
    """List entries, the latest first, by purpose; addresses are not known, so none are shown."""
    return suppressions.listed(context, query)
