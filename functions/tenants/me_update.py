"""Change who calls."""

from common.answers import Record
from common.context import Context
from common.tenants.people import me
from common.tenants.people.models import MeUpdate, User
from triggers import http


@http.patch(
    "/v1/me",
    scope="me:write",
    if_match="optional",
    needs={"firestore:write": "changes the person"},
)
def me_update(body: MeUpdate, context: Context) -> Record[User]:
    """Change one's own name, user name, picture, time zone or onboarding."""
    return me.update(context, body)
