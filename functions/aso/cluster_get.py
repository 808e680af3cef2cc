"""Read a cluster of keywords."""

from common.aso.clusters import service
from common.aso.clusters.models import ClusterMembers, ClusterQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/clusters/{cluster_id}", scope="aso:read", needs={"firestore:read": "Reads the cluster and its keywords."}
)
def cluster_get(cluster_id: str, query: ClusterQuery, context: Context) -> ClusterMembers:
    """Return a cluster with a page of its keywords, newest first."""
    return service.get(context, cluster_id, query)
