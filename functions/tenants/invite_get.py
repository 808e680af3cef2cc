"""Read an invite."""

from common.answers import Record
from common.context import Context
from common.tenants.people import invites
from common.tenants.people.models import InviteView
from triggers import http


@http.get(
    "/v1/invites/{invite_id}",
    scope="tenants:read",
    roles=("admin", "manager"),
    needs={"firestore:read": "reads the invite"},
)
def invite_get(invite_id: str, context: Context) -> Record[InviteView]:
    """Return an invite and what came of it; never its token."""
    return invites.get(context, invite_id)
