"""Read a person of a tenant."""

from common.answers import Record
from common.context import Context
from common.tenants.people import users
from common.tenants.people.models import User
from triggers import http


@http.get(
    "/v1/users/{user_id}",
    scope="tenants:read",
    needs={"firestore:read": "reads the person"},
)
def user_get(user_id: str, context: Context) -> Record[User]:
    """Return a person of the tenant."""
    return users.get(context, user_id)
