"""List the feature flags of a tenant."""

from common.answers import Page
from common.context import Context
from common.tenants.people import features
from common.tenants.people.models import FeatureFlag
from triggers import http


@http.get(
    "/v1/features",
    scope="tenants:read",
    needs={"firestore:read": "reads the tenant's flags"},
)
def feature_list(context: Context) -> Page[FeatureFlag]:
    """Return every feature flag of the tenant, by name, at most a hundred."""
    return features.listed(context)
