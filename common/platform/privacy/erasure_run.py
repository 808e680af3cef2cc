"""Carrying out an erasure: store by store, resumable at any point, until a search finds nothing of the person any more.

::

    checked     the plan's token still stands for what is there; no hold, not the last administrator
    remembered  every identifier sealed in the case, as digests in the ledger, the addresses suppressed
    <store>     each store's ``erase``; repeating one changes nothing
    searched    the residue search; where it finds something, the stores erase once more after a while

Rows that were streamed into BigQuery within the last half hour cannot be changed yet, and events of before the erasure
may still be on their way: the job waits for both in follow-up tasks.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any

from common import erasures, suppression
from common.context import Context
from common.errors import Conflict
from common.identifiers import digest
from common.jobs.models import JobTask
from common.jobs.run import JobEnded, JobRun, run_job
from common.platform.privacy import cases, residue, survey
from common.platform.privacy.erasure import ErasurePlan
from common.platform.privacy.person import Person
from common.platform.privacy.stores.every import STORES
from common.platform.privacy.stores.port import Store, Walk
from common.platform.privacy.stores.warehouse import StillStreaming

ROUNDS = 8
"""Searches after which what is left is reported instead of waited for."""
UNCHANGED = 3
"""Searches that find the same after which it is reported: nothing late is on its way any more."""
WAIT = 5.0
"""Seconds before the first second look; doubled with each."""
STREAMING_WAIT = 900.0
"""Seconds to wait for rows that were streamed lately."""
STREAMING_ROUNDS = 12
"""Waits for such rows at most: three hours."""


def plan(context: Context, task: JobTask) -> None:
    """Do the work of a planning job."""
    run_job(context, task, _planned)


def run(context: Context, task: JobTask) -> None:
    """Do the work of an erasure job, from its last checkpoint."""
    run_job(context, task, _erased)


def _planned(job: JobRun) -> Mapping[str, Any]:
    walk = walk_of(job)
    return survey.survey(walk).model_dump(mode="json")


def walk_of(job: JobRun) -> Walk:
    """Return the walk of a job, with every identifier that its case knows.

    Raises:
        NotFound: ``privacy_case_not_found``.
    """
    person = Person(cases.identifiers_of(job.context, job.job.job_id))
    return Walk(
        context=job.context,
        person=person,
        case=str(job.job.job_id),
        alive=lambda: job.progress(job.job.progress.done),
    )


def _erased(job: JobRun) -> Mapping[str, Any]:
    state: dict[str, Any] = dict(job.checkpoint or {"stage": "checked", "counts": {}, "round": 0, "streaming": 0})
    if state["stage"] != "done":
        walk = walk_of(job)
        if state["stage"] == "checked":
            _begin(job, walk)
            state["stage"] = "stores"
            _save(job, state)
        _through(job, walk, state)
    for name in (job.job.job_id, uuid.UUID(job.parameters["plan_job_id"])):
        cases.close(job.context, name)
    result: Mapping[str, Any] = state["result"]
    return result


def _begin(job: JobRun, walk: Walk) -> None:
    """Check that the plan still holds and nothing forbids it, then remember the person for good.

    Raises:
        Conflict: ``plan_stale``, ``last_admin``.
        Locked: ``legal_hold``.
    """
    found: ErasurePlan = survey.survey(walk)
    survey.require_unheld(walk)
    survey.require_dispensable(walk)
    if found.confirm != job.parameters["confirm"]:
        raise Conflict("plan_stale", "What is kept about the person has changed since the plan was made: plan again.")
    cases.keep_identifiers(job.context, job.job.job_id, walk.person.identifiers())
    erasures.remember(job.context, walk.person.digests(job.context), walk.case)
    for address in sorted(walk.person.values["email"]):
        suppression.add(job.context, address, reason="erasure")


def _through(job: JobRun, walk: Walk, state: dict[str, Any]) -> None:
    """Go through the stores until nothing is left; ends with the result in the state."""
    while True:
        done: list[str] = state.setdefault("stores", [])
        for store in STORES:
            if store.name in done:
                continue
            try:
                _count(state, store.name, store.erase(_walk_for(store, job, walk, state)))
            except StillStreaming:
                _wait_for_streams(job, state)
            done.append(store.name)
            _save(job, state)
        left = residue.search(walk)
        if not left or state["round"] >= ROUNDS or _unchanged(state, left) >= UNCHANGED:
            state["result"] = _result(walk, state, left)
            state["stage"] = "done"
            _save(job, state)
            return
        state |= {"round": state["round"] + 1, "stores": []}
        _pause(job, state, WAIT * 2 ** (state["round"] - 1))


def _walk_for(store: Store, job: JobRun, walk: Walk, state: dict[str, Any]) -> Walk:
    """Return the walk with which a store erases: near the deadline it goes on in a follow-up task where it can."""
    if not store.hands_over:
        return walk
    return dataclasses.replace(walk, alive=lambda: job.progress(_counted(state), checkpoint=state))


def _unchanged(state: dict[str, Any], left: list[residue.Left]) -> int:
    """Return how many searches in a row have found just this."""
    found = digest(*sorted(each.model_dump_json() for each in left))
    state["same"] = state.get("same", 0) + 1 if state.get("left") == found else 1
    state["left"] = found
    return int(state["same"])


def _wait_for_streams(job: JobRun, state: dict[str, Any]) -> None:
    """Come back later for rows that cannot be changed yet; after hours of that the search reports them."""
    if state["streaming"] < STREAMING_ROUNDS:
        state["streaming"] += 1
        _pause(job, state, STREAMING_WAIT)


def _pause(job: JobRun, state: dict[str, Any], delay: float) -> None:
    _save(job, state)
    job.pause(delay)
    raise JobEnded("goes on in a follow-up task")


def _save(job: JobRun, state: dict[str, Any]) -> None:
    job.progress(_counted(state), checkpoint=state, flush=True)


def _counted(state: Mapping[str, Any]) -> int:
    return sum(sum(kinds.values()) for kinds in state["counts"].values())


def _count(state: dict[str, Any], store: str, counts: Mapping[str, int]) -> None:
    """Take in what a store did. Documents count by their receipts, which a repetition counts again; others add up."""
    kinds = state["counts"].setdefault(store, {})
    for kind, number in counts.items():
        kinds[kind] = number if store == "documents" else kinds.get(kind, 0) + number


def _result(walk: Walk, state: dict[str, Any], left: list[residue.Left]) -> dict[str, Any]:
    """Return the report: what was done, what stays and why, and what a search still found."""
    return {
        "erased": state["counts"],
        "records": _counted(state),
        "identifiers": {kind: len(values) for kind, values in walk.person.values.items() if values},
        "subject_digests": walk.person.digests(walk.context),
        "kept": [each.model_dump() for each in survey.KEPT],
        "searches": state["round"] + 1,
        "residue": [each.model_dump() for each in left],
        "clean": not left,
    }
