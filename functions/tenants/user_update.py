"""Change a person of a tenant."""

from common.answers import Record
from common.context import Context
from common.tenants.people import users
from common.tenants.people.models import User, UserUpdate
from triggers import http


@http.patch(
    "/v1/users/{user_id}",
    scope="tenants:write",
    roles=("admin",),
    if_match="required",
    needs={"firestore:write": "changes the person"},
)
def user_update(user_id: str, body: UserUpdate, context: Context) -> Record[User]:
    """Change a person's name, company or feature flags; role and status have operations of their own."""
    return users.update(context, user_id, body)
