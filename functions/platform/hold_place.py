"""Place a legal hold."""

from common.answers import Answer, Record
from common.context import Context
from common.platform.privacy import holds
from common.platform.privacy.hold_models import HoldPlace
from common.protection.models import LegalHold
from triggers import http


@http.post(
    "/v1/privacy/holds",
    scope="privacy:write",
    roles=("admin",),
    status=201,
    needs={
        "firestore:write": "Stores the hold.",
        "kms:use": "Makes the keyed digests of the person's identifiers.",
    },
)
def hold_place(body: HoldPlace, context: Context) -> Answer[Record[LegalHold]]:
    """Keep a person's data, a kind of record or everything from being destroyed, with a written reason.

    Erasure, retention and the deletion of the tenant are refused with 423 `legal_hold` and that reason until the
    hold is released.
    """
    return holds.place(context, body)
