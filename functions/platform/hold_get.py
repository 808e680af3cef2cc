"""Read a legal hold."""

import uuid

from common.answers import Record
from common.context import Context
from common.platform.privacy import holds
from common.protection.models import LegalHold
from triggers import http


@http.get(
    "/v1/privacy/holds/{hold_id}",
    scope="privacy:read",
    roles=("admin",),
    needs={
        "firestore:read": "Reads the hold.",
    },
)
def hold_get(hold_id: uuid.UUID, context: Context) -> Record[LegalHold]:
    """Read a hold: what it keeps, why, and by whose order."""
    return holds.get(context, hold_id)
