"""Invite somebody to a tenant."""

from common.answers import Answer
from common.context import Context
from common.tenants.people import invites
from common.tenants.people.models import InviteCreate, InviteCreated
from triggers import http


@http.post(
    "/v1/invites",
    scope="tenants:write",
    roles=("admin", "manager"),
    status=201,
    needs={"firestore:write": "stores the invite and the hash of its token"},
)
def invite_create(body: InviteCreate, context: Context) -> Answer[InviteCreated]:
    """Invite an e-mail address and return the token that accepts, this one time. Nothing is sent: hand it on yourself.

    It is accepted within seven days by an account with that verified address. A repetition with the same
    ``Idempotency-Key`` is answered with 409 and the ``Location`` of the invite, never with the token.
    """
    return invites.create(context, body)
