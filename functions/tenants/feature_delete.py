"""Delete a feature flag."""

from common.context import Context
from common.tenants.people import features
from triggers import http


@http.delete(
    "/v1/features/{feature_id}",
    scope="tenants:write",
    roles=("admin",),
    status=204,
    needs={"firestore:write": "deletes the flag"},
)
def feature_delete(feature_id: str, context: Context) -> None:
    """Forget a feature flag; what people chose for it counts for nothing from now on."""
    features.delete(context, feature_id)
