"""Give a person another role."""

from common.answers import Record
from common.context import Context
from common.tenants.people import users
from common.tenants.people.models import RoleChange, User
from triggers import http


@http.put(
    "/v1/users/{user_id}/role",
    scope="tenants:write",
    roles=("admin",),
    if_match="optional",
    needs={"firestore:write": "changes the person's role and ends the sessions"},
)
def user_role_set(user_id: str, body: RoleChange, context: Context) -> Record[User]:
    """Give a person another role, everywhere within a minute; the person signs in again for it.

    The tenant's last active administrator keeps the role: 409 `last_admin`.
    """
    return users.set_role(context, user_id, body)
