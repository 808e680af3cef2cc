"""Read who calls."""

from common.answers import Record
from common.context import Context
from common.tenants.people import me
from common.tenants.people.models import Me
from triggers import http


@http.get(
    "/v1/me",
    scope="me:read",
    needs={"firestore:read": "reads the person, the company and the tenant's feature flags"},
)
def me_get(context: Context) -> Record[Me]:
    """Return the person who calls with settings, company and the feature flags that count. API keys get 403."""
    return me.get(context)
