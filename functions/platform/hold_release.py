"""Release a legal hold."""

import uuid

from common.answers import Record
from common.context import Context
from common.platform.privacy import holds
from common.platform.privacy.hold_models import HoldRelease
from common.protection.models import LegalHold
from triggers import http


@http.post(
    "/v1/privacy/holds/{hold_id}/release",
    scope="privacy:write",
    roles=("admin",),
    if_match="optional",
    needs={
        "firestore:write": "Marks the hold as released.",
    },
)
def hold_release(hold_id: uuid.UUID, body: HoldRelease, context: Context) -> Record[LegalHold]:
    """Release a hold with a written reason; what waited for it goes on by itself."""
    return holds.release(context, hold_id, body)
