"""Make a new token for an invite."""

from common.answers import Answer
from common.context import Context
from common.tenants.people import invites
from common.tenants.people.models import InviteCreated
from triggers import http


@http.post(
    "/v1/invites/{invite_id}/resend",
    scope="tenants:write",
    roles=("admin", "manager"),
    needs={"firestore:write": "stores the hash of the new token and ends the old one"},
)
def invite_resend(invite_id: str, context: Context) -> Answer[InviteCreated]:
    """Return a new token for an invite, valid for another seven days, this one time; the old token ends.

    Nothing is sent: hand it on yourself.
    """
    return invites.resend(context, invite_id)
