"""Set a recorded change back."""

import uuid

from common.context import Context
from common.platform.audit import reverting
from common.platform.audit.revert_models import Reverted
from triggers import http


@http.post(
    "/v1/audit/entries/{entry_id}/revert",
    scope="audit:write",
    roles=("admin",),
    needs={"firestore:write": "Gives the document its old values."},
)
def audit_revert(entry_id: uuid.UUID, context: Context) -> Reverted:
    """Give the fields of a change the values they had before it; this is a change like any other, with its own entry.

    409 `changed_since` where a field was changed again meanwhile, 409 `not_revertible` where the kind of document or
    the field follows rules of its own, or the trail does not know the old value; `reason` and the message say which.
    """
    return reverting.revert(context, entry_id)
