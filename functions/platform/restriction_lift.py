"""Lift what a restriction or an objection forbids."""

from common.context import Context
from common.platform.privacy import lifting
from common.platform.privacy.consents.models import Standing
from common.platform.privacy.lifting import RestrictionLift
from triggers import http


@http.post(
    "/v1/privacy/restrictions/lift",
    scope="privacy:write",
    roles=("admin",),
    needs={
        "firestore:write": "Changes the restriction, and takes the address off the lists of the objection.",
        "kms:use": "Makes the keyed digests of the person's identifiers.",
    },
)
def restriction_lift(body: RestrictionLift, context: Context) -> Standing:
    """Lift a person's restriction or objections, with a written reason; return what holds now.

    Consent that was withdrawn is not lifted: it is given again (`POST /v1/privacy/consents`).
    """
    return lifting.lift(context, body)
