"""Sign out everywhere."""

from common.answers import Record
from common.context import Context
from common.tenants.people import me
from common.tenants.people.models import User
from triggers import http


@http.post(
    "/v1/me/sign-out",
    scope="me:write",
    needs={"firestore:write": "ends the person's sessions"},
)
def me_sign_out(context: Context) -> Record[User]:
    """End every session of one's own, this one included: everywhere within a minute."""
    return me.sign_out(context)
