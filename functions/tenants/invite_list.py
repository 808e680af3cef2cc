"""List the invites of a tenant."""

from common.answers import Page
from common.context import Context
from common.tenants.people import invites
from common.tenants.people.models import InviteListQuery, InviteView
from triggers import http


@http.get(
    "/v1/invites",
    scope="tenants:read",
    roles=("admin", "manager"),
    needs={"firestore:read": "reads a page of the tenant's invites"},
)
def invite_list(query: InviteListQuery, context: Context) -> Page[InviteView]:
    """Return invites, newest first, all or those of a status; never a token.

    Those asked for as `pending` include the ones whose time has passed, each shown as `expired`.
    """
    return invites.listed(context, query)
