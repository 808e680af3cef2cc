"""Change a feature flag."""

from common.answers import Record
from common.context import Context
from common.tenants.people import features
from common.tenants.people.models import FeatureFlag, FeatureFlagUpdate
from triggers import http


@http.patch(
    "/v1/features/{feature_id}",
    scope="tenants:write",
    roles=("admin",),
    if_match="optional",
    needs={"firestore:write": "changes the flag"},
)
def feature_update(feature_id: str, body: FeatureFlagUpdate, context: Context) -> Record[FeatureFlag]:
    """Change a feature flag's default, its description, or whether people switch it for themselves."""
    return features.update(context, feature_id, body)
