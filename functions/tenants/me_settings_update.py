"""Change the settings of who calls."""

from common.answers import Record
from common.context import Context
from common.tenants.people import me
from common.tenants.people.models import MySettingsUpdate, User
from triggers import http


@http.patch(
    "/v1/me/settings",
    scope="me:write",
    if_match="optional",
    needs={"firestore:write": "changes the person's settings"},
)
def me_settings_update(body: MySettingsUpdate, context: Context) -> Record[User]:
    """Merge settings and feature flags into one's own; null takes one away.

    Flags are switched here only where the tenant made them people's own choice.
    """
    return me.update_settings(context, body)
