"""Clusters from the outside: found by a job, listed, and read with their keywords.

Clusters are of the moment they were found: keywords added, changed or deleted since are taken up by the next
clustering.
"""

from __future__ import annotations

from common.answers import Answer, Page
from common.aso.clusters.entities import KEYWORD_CLUSTERS
from common.aso.clusters.models import ClusterMembers, ClusterQuery, ClusterRequest, KeywordCluster
from common.aso.entities import KEYWORDS
from common.aso.models import KeywordSummary
from common.context import Context
from common.errors import Conflict, Unprocessable
from common.jobs.entities import JOBS
from common.jobs.models import JobView
from common.jobs.service import start_job
from common.store import Repository, Work, transact

TYPE = "keyword_clustering"
RUN_FUNCTION = "aso-keyword-cluster-run"
MOST = 200_000
"""Keywords that one clustering takes: what a function's memory and the time of a run hold."""


def start(context: Context, body: ClusterRequest) -> Answer[JobView]:
    """Begin a clustering of all keywords; answers 202 with the job.

    Raises:
        Unprocessable: ``too_many``: there are more keywords than one clustering takes.
        Conflict: ``clustering_running``: one is under way.
    """
    count = Repository(KEYWORDS, context).count()
    if count > MOST:
        details = {"keywords": count, "limit": MOST}
        raise Unprocessable("too_many", f"There are {count} keywords; {MOST} can be clustered.", details=details)

    def work(work: Work) -> Answer[JobView]:
        under_way = work.select(JOBS, [("type", "==", TYPE), ("status", "in", ["queued", "running"])], limit=1)
        if under_way:
            details = {"job_id": str(under_way[0].value.job_id)}
            raise Conflict("clustering_running", "A clustering is under way; wait for its job.", details=details)
        job = start_job(work, type=TYPE, function=RUN_FUNCTION, parameters=body.model_dump(), unit="changes")
        return Answer(content=job.view(), status=202, headers={"Location": f"/v1/jobs/{job.job_id}"})

    return transact(context, work)


def listed(context: Context, query: ClusterQuery) -> Page[KeywordCluster]:
    """Return a page of clusters, the greatest demand first."""
    return Repository(KEYWORD_CLUSTERS, context).page((), ("-demand",), limit=query.limit, cursor=query.cursor)


def get(context: Context, cluster_id: str, query: ClusterQuery) -> ClusterMembers:
    """Return a cluster with a page of its keywords.

    Raises:
        NotFound: ``keyword_cluster_not_found``.
        BadRequest: ``invalid_cursor``.
    """
    cluster = Repository(KEYWORD_CLUSTERS, context).get(cluster_id).value
    filters = [("cluster_id", "==", cluster_id)]
    page = Repository(KEYWORDS, context).page(filters, limit=query.limit, cursor=query.cursor)
    items = [
        KeywordSummary.model_construct(**{name: getattr(each, name) for name in KeywordSummary.model_fields})
        for each in page.items
    ]
    return ClusterMembers(cluster=cluster, items=items, next_cursor=page.next_cursor)
