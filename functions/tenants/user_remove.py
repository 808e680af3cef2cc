"""Remove a person from a tenant."""

from common.context import Context
from common.tenants.people import users
from triggers import http


@http.delete(
    "/v1/users/{user_id}",
    scope="tenants:write",
    roles=("admin",),
    status=204,
    if_match="optional",
    needs={"firestore:write": "deletes the person's document"},
)
def user_remove(user_id: str, context: Context) -> None:
    """Take a person out of the tenant, everywhere within a minute; the account may then be invited elsewhere.

    What the person made stays. The tenant's last active administrator cannot be removed: 409 `last_admin`.
    """
    users.remove(context, user_id)
