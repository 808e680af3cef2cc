"""Take an entry off the suppression list."""

import uuid

from common.context import Context
from common.platform.privacy import suppressions
from triggers import http


@http.delete(
    "/v1/privacy/suppressions/{suppression_id}",
    scope="privacy:write",
    roles=("admin",),
    status=204,
    if_match="optional",
    needs={
        "firestore:write": "Deletes the entry.",
    },
)
def suppression_remove(suppression_id: uuid.UUID, context: Context) -> None:
    """Take an entry off the list; the address may be used for the purpose again."""
    suppressions.remove(context, suppression_id)
