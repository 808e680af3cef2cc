"""Reactivate a person."""

from common.answers import Record
from common.context import Context
from common.tenants.people import users
from common.tenants.people.models import User
from triggers import http


@http.post(
    "/v1/users/{user_id}/reactivate",
    scope="tenants:write",
    roles=("admin",),
    if_match="optional",
    needs={"firestore:write": "marks the person as active"},
)
def user_reactivate(user_id: str, context: Context) -> Record[User]:
    """Accept a deactivated person again, after a new sign-in. Reactivating twice changes nothing."""
    return users.reactivate(context, user_id)
