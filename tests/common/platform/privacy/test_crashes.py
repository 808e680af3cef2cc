"""Erasures and access exports that die in the middle, again and again, end as if none had died."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from common import objects
from common.clients.registry import Clients
from common.context import Context
from common.jobs import run as jobs_run
from common.jobs.entities import JOBS
from common.jobs.models import Job, JobTask
from common.platform.privacy import access, access_run, erasure, erasure_run, residue
from common.registry import entities
from common.store import Repository, Work, transact
from tests.common.aso.jobs import make_buckets
from tests.common.faults import Death, FaultyTransport, dies, faulty
from tests.common.platform.privacy.people import Human, context_for, covered, everything, plant, walk_for
from tests.common.queues import make_queues, tasks_of

MOST_RUNS = 60
Run = Callable[[Context, JobTask], None]


@pytest.fixture(scope="module", autouse=True)
def deployment(clients: Clients) -> None:
    make_buckets(clients)
    make_queues(clients, erasure.FUNCTION, erasure.PLAN_FUNCTION, access.FUNCTION, access_run.DELETE)


@pytest.fixture(autouse=True)
def _a_dead_run_keeps_nobody_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_run, "LEASE", timedelta(0))


def planted(context: Context, human: Human, other: Human) -> None:
    """Plant somebody in every field that people are found by, and more than one page of one kind."""
    for entity in covered():
        for each in entity.personal:
            if each.identifies:
                plant(context, entity, {each.field: human}, actor=other)
                plant(context, entity, {each.field: other}, actor=human)
    for _ in range(70):
        plant(context, entities()["account"], {"user_id": human, "email": human})


def killed_again_and_again(clients: Clients, context: Context, job_id: uuid.UUID, run: Run) -> tuple[Job, int]:
    """Run a job as Cloud Tasks would while its process dies at one commit after another; return it and the deaths.

    Every run gets a little further than the one before; it dies before a commit is sent or before its answer is there.
    """
    deaths = 0
    for number in range(MOST_RUNS):
        own, transport = faulty(clients)
        die_at(transport, 1 + number, "before" if number % 2 else "after")
        try:
            run(dataclasses.replace(context, clients=own), JobTask(job_id=job_id))
        except Death:
            deaths += 1
        job = Repository(JOBS, context).get(str(job_id)).value
        if job.finished_at is not None:
            return job, deaths
    raise AssertionError(f"the job has not ended after {MOST_RUNS} runs")


def die_at(transport: FaultyTransport, commit: int, moment: str) -> None:
    """Let the process die around the given commit, counted from one."""

    def count() -> None:
        if transport.commits + 1 == commit:
            if moment == "before":
                dies()
            transport.after = dies
        transport.before = count

    transport.before = count


def begun(context: Context, start: Callable[[Work], Job]) -> uuid.UUID:
    return transact(context, start).job_id


def confirmed(context: Context, human: Human) -> uuid.UUID:
    """Plan an erasure and order it; return the job."""
    request_id = str(uuid.uuid4())
    plan_id = begun(context, lambda work: erasure.plan(work, request_id=request_id, subject=human.subject))
    erasure_run.plan(context, JobTask(job_id=plan_id))
    plan = Repository(JOBS, context).get(str(plan_id)).value.result
    assert plan is not None

    def start(work: Work) -> Job:
        return erasure.start(work, request_id=request_id, plan_job_id=plan_id, confirm=plan["confirm"])

    return begun(context, start)


def records(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the records of people's entities without what differs between any two runs."""
    kinds = {entity.collection for entity in covered()} - {"jobs"}
    told = {path: fields for path, fields in found.items() if path.split("/")[-2] in kinds}
    return {path: {name: value for name, value in fields.items() if name != "_meta"} for path, fields in told.items()}


def test_an_erasure_that_dies_at_every_step_ends_as_one_that_does_not(clients: Clients) -> None:
    results, kept = [], []
    for killed in (True, False):
        context, human, other = context_for(clients), Human(), Human()
        planted(context, human, other)
        job_id = confirmed(context, human)
        if killed:
            job, deaths = killed_again_and_again(clients, context, job_id, erasure_run.run)
            assert deaths > 5, "it was to die in many places"
        else:
            erasure_run.run(context, JobTask(job_id=job_id))
            job = Repository(JOBS, context).get(str(job_id)).value
        assert job.status == "succeeded", job.error
        assert job.result is not None
        assert residue.search(walk_for(context, human)) == []
        told = {name: job.result[name] for name in ("identifiers", "clean", "residue")}
        results.append({**told, "documents": job.result["erased"]["documents"]})
        left = records(everything(context))
        kept.append(Counter((path.split("/")[-2], other.user_id in str(each)) for path, each in left.items()))
    assert results[0] == results[1]
    assert kept[0] == kept[1]
    assert results[0]["clean"] is True


def test_an_erasure_without_time_goes_on_in_as_many_runs_as_it_needs(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, human, other = context_for(clients), Human(), Human()
    planted(context, human, other)
    job_id = confirmed(context, human)
    monkeypatch.setattr(jobs_run, "RESERVE", math.inf)
    for number in range(MOST_RUNS):
        erasure_run.run(context, JobTask(job_id=job_id))
        job = Repository(JOBS, context).get(str(job_id)).value
        if job.finished_at is not None:
            break
        waiting = {each.name.rpartition("/")[2] for each in tasks_of(clients, erasure.FUNCTION)}
        assert f"{job_id}-{number + 1}" in waiting
    assert job.status == "succeeded", job.error
    assert job.result is not None
    assert job.result["erased"]["documents"]["account"] >= 70, "more than one run's share"
    assert (job.result["clean"], job.part > 8) == (True, True)


def test_an_access_export_that_dies_at_every_step_has_everything_once(clients: Clients) -> None:
    context, human, other = context_for(clients), Human(), Human()
    planted(context, human, other)
    job_id = begun(context, lambda work: access.start(work, request_id=str(uuid.uuid4()), subject=human.subject))
    job, deaths = killed_again_and_again(clients, context, job_id, access_run.run)
    assert job.status == "succeeded", job.error
    assert job.result is not None
    assert deaths >= 3
    content = objects.read(context, context.clients.settings.report_bucket, access.file_path(job_id))
    assert content is not None
    assert len(content) == job.result["size"]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        lines = [json.loads(line) for line in archive.read("documents.ndjson").splitlines()]
    accounts = [line["data"]["account_id"] for line in lines if line["kind"] == "account"]
    assert len(accounts) == len(set(accounts)) >= 70
    assert other.user_id not in json.dumps(lines)
