"""Cluster the keywords."""

from common.answers import Answer
from common.aso.clusters import service
from common.aso.clusters.models import ClusterRequest
from common.context import Context
from common.jobs.models import JobView
from triggers import http


@http.post(
    "/v1/aso/keywords/cluster",
    scope="aso:write",
    rate="expensive",
    status=202,
    needs={"firestore:write": "Counts the keywords and begins the job."},
)
def keyword_cluster(body: ClusterRequest, context: Context) -> Answer[JobView]:
    """Group keywords that one page can answer; a job does it for all of up to 200,000.

    Members of a cluster are alike to the member most people search for. The same keywords always give the same
    clusters, and clusters keep their ids from one clustering to the next: of a cluster that split, the larger part; of
    clusters that merged, the one that gave most. A keyword alike to no other is in none.
    """
    return service.start(context, body)
