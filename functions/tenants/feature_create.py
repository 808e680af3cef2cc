"""Declare a feature flag."""

from common.answers import Answer, Record
from common.context import Context
from common.tenants.people import features
from common.tenants.people.models import FeatureFlag, FeatureFlagCreate
from triggers import http


@http.post(
    "/v1/features",
    scope="tenants:write",
    roles=("admin",),
    status=201,
    needs={"firestore:write": "stores the flag"},
)
def feature_create(body: FeatureFlagCreate, context: Context) -> Answer[Record[FeatureFlag]]:
    """Declare a feature flag with its default, and whether people switch it for themselves."""
    return features.create(context, body)
