"""Deactivate a person."""

from common.answers import Record
from common.context import Context
from common.tenants.people import users
from common.tenants.people.models import User
from triggers import http


@http.post(
    "/v1/users/{user_id}/deactivate",
    scope="tenants:write",
    roles=("admin",),
    if_match="optional",
    needs={"firestore:write": "marks the person as deactivated and ends the sessions"},
)
def user_deactivate(user_id: str, context: Context) -> Record[User]:
    """Refuse a person's tokens everywhere within a minute; what the person made stays.

    Deactivating twice changes nothing. The tenant's last active administrator cannot be deactivated: 409 `last_admin`.
    """
    return users.deactivate(context, user_id)
