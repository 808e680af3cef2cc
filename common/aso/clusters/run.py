"""Run a clustering: read all keywords, plan, keep the plan, then carry it out by checkpoints.

New and changed clusters are written first, then their keywords, and clusters that ended go last, so that no keyword
names a cluster that is not there. Carried out again, what was done changes nothing: a run that crashed goes on with
the plan it made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from common import objects
from common.aso.clusters import plan as planning
from common.aso.clusters.entities import KEYWORD_CLUSTERS
from common.aso.clusters.models import ClusteringResult, KeywordCluster
from common.aso.clusters.similarity import Thresholds
from common.aso.entities import KEYWORDS
from common.context import Context
from common.errors import Unprocessable
from common.jobs.run import JobRun
from common.store import Work, in_chunks, transact

CHUNK = 150
"""Documents of one transaction: with a tombstone each, below Firestore's 500 writes."""


def run(job: JobRun, pages: planning.ResultPages = planning.unknown_pages) -> Mapping[str, Any]:
    """Cluster the keywords of the job's tenant; return a ``ClusteringResult``.

    Args:
        job: The job, with the thresholds among its parameters.
        pages: Tells what is known of keywords' result pages.

    Raises:
        Unprocessable: ``plan_missing``: the plan that a run before made is gone.
    """
    if job.checkpoint is None:
        _keep(job, _planned(job, pages))
    plan = _kept(job)
    done = int((job.checkpoint or {}).get("done", 0))
    steps: list[tuple[str, Any]] = [("cluster", cluster) for cluster in plan.clusters]
    steps += [("keyword", change) for change in plan.changes]
    steps += [("ended", cluster_id) for cluster_id in plan.ended]
    for chunk in in_chunks(steps[done:], CHUNK):
        _carry_out(job.context, chunk)
        done += len(chunk)
        job.progress(done, total=len(steps), checkpoint={"done": done})
    return plan.result.model_dump()


def _planned(job: JobRun, pages: planning.ResultPages) -> planning.Plan:
    def tick() -> None:
        job.progress(0)

    thresholds = Thresholds(text=job.parameters["similarity"], shared_pages=job.parameters["shared_results"])
    known = planning.read(job.context, pages, tick)
    return planning.made(job.context, known, thresholds, str(job.job.job_id), tick)


def _carry_out(context: Context, steps: Sequence[tuple[str, Any]]) -> None:
    now = datetime.now(UTC)
    clusters = {each.cluster_id: each for kind, each in steps if kind == "cluster"}
    wanted = dict(each for kind, each in steps if kind == "keyword")
    ended = [each for kind, each in steps if kind == "ended"]

    def work(work: Work) -> None:
        stored = work.get_many(KEYWORD_CLUSTERS, [*clusters, *ended])
        for cluster_id, cluster in clusters.items():
            if cluster_id in stored:
                work.update(KEYWORD_CLUSTERS, stored[cluster_id], cluster)
            else:
                work.create(KEYWORD_CLUSTERS, cluster)
        for keyword_id, record in work.get_many(KEYWORDS, wanted).items():
            if record.value.cluster_id != wanted[keyword_id]:
                changes = {"cluster_id": wanted[keyword_id], "updated_at": now}
                work.update(KEYWORDS, record, record.value.model_copy(update=changes))
        for cluster_id in ended:
            if cluster_id in stored:
                work.delete(KEYWORD_CLUSTERS, stored[cluster_id])

    transact(context, work, answers=False)


def _keep(job: JobRun, plan: planning.Plan) -> None:
    """Store the plan, then say so in the checkpoint: from here on it is carried out and not made again."""
    content = {
        "clusters": [cluster.model_dump(mode="json") for cluster in plan.clusters],
        "changes": plan.changes,
        "ended": plan.ended,
        "result": plan.result.model_dump(),
    }
    bucket = job.context.clients.settings.report_bucket
    objects.write(job.context, bucket, _path(job), json.dumps(content).encode(), "application/json")
    total = len(plan.clusters) + len(plan.changes) + len(plan.ended)
    job.progress(0, total=total, checkpoint={"done": 0}, flush=True)


def _kept(job: JobRun) -> planning.Plan:
    content = objects.read(job.context, job.context.clients.settings.report_bucket, _path(job))
    if content is None:
        raise Unprocessable("plan_missing", "What this clustering had planned is gone; begin it again.")
    told = json.loads(content)
    return planning.Plan(
        clusters=[KeywordCluster.model_validate(cluster) for cluster in told["clusters"]],
        changes=[(keyword_id, cluster_id) for keyword_id, cluster_id in told["changes"]],
        ended=told["ended"],
        result=ClusteringResult.model_validate(told["result"]),
    )


def _path(job: JobRun) -> str:
    return f"clusters/{job.job.job_id}/plan.json"
