"""List clusters of keywords."""

from common.answers import Page
from common.aso.clusters import service
from common.aso.clusters.models import ClusterQuery, KeywordCluster
from common.context import Context
from triggers import http


@http.get("/v1/aso/clusters", scope="aso:read", needs={"firestore:read": "Reads the clusters."})
def cluster_list(query: ClusterQuery, context: Context) -> Page[KeywordCluster]:
    """List clusters, the greatest demand first, each with the hub that suits it.

    They are as the last clustering found them: `POST /v1/aso/keywords/cluster` finds them anew.
    """
    return service.listed(context, query)
