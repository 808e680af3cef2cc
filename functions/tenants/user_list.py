"""List the people of a tenant."""

from common.answers import Page
from common.context import Context
from common.tenants.people import users
from common.tenants.people.models import User, UserListQuery
from triggers import http


@http.get(
    "/v1/users",
    scope="tenants:read",
    needs={"firestore:read": "reads a page of the tenant's people"},
)
def user_list(query: UserListQuery, context: Context) -> Page[User]:
    """Return people of the tenant, newest first, all or those of a company, role or status."""
    return users.listed(context, query)
