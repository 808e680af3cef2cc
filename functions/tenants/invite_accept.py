"""Accept an invite."""

from common.answers import Answer, Record
from common.context import Context
from common.tenants.people import invites
from common.tenants.people.models import InviteAccept, User
from triggers import http


@http.post(
    "/v1/invites/accept",
    tenancy="person",
    status=201,
    needs={"firestore:write": "stores the person and marks the invite as accepted"},
)
def invite_accept(body: InviteAccept, context: Context) -> Answer[Record[User]]:
    """Join the tenant of an invite with the account of the ID token, whose verified e-mail address must be the invited.

    A few seconds later a refreshed ID token carries the tenant and the role. An account belongs to one tenant.
    """
    return invites.accept(context, body)
