"""Leave the tenant."""

from common.context import Context
from common.tenants.people import me
from triggers import http


@http.post(
    "/v1/me/leave",
    scope="me:write",
    status=204,
    needs={"firestore:write": "deletes the person's document"},
)
def me_leave(context: Context) -> None:
    """Leave the tenant; the account may then accept another's invite.

    The last active administrator names another one first: 409 `last_admin`.
    """
    me.leave(context)
