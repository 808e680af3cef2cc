"""Revoke an invite."""

from common.context import Context
from common.tenants.people import invites
from triggers import http


@http.delete(
    "/v1/invites/{invite_id}",
    scope="tenants:write",
    roles=("admin", "manager"),
    status=204,
    needs={"firestore:write": "marks the invite as revoked"},
)
def invite_revoke(invite_id: str, context: Context) -> None:
    """Refuse an invite from now on. Revoking it again changes nothing; one that was accepted is 409 `invite_used`."""
    invites.revoke(context, invite_id)
