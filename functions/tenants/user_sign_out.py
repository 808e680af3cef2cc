"""Sign a person out everywhere."""

from common.answers import Record
from common.context import Context
from common.tenants.people import users
from common.tenants.people.models import User
from triggers import http


@http.post(
    "/v1/users/{user_id}/sign-out",
    scope="tenants:write",
    roles=("admin",),
    if_match="optional",
    needs={"firestore:write": "ends the person's sessions"},
)
def user_sign_out(user_id: str, context: Context) -> Record[User]:
    """End every session of a person, everywhere within a minute; the person may sign in again."""
    return users.sign_out(context, user_id)
