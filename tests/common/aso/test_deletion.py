"""Deletion: what goes, what lets go, what is told before."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from google.api_core.exceptions import Conflict as BucketExists

from common.aso import content, deletion, keywords, references
from common.aso.content_models import ArchiveRequest, DeleteQuery
from common.aso.entities import CONTENT_PIECES, KEYWORDS, OPPORTUNITIES
from common.aso.models import ContentPiece, Opportunity
from common.clients.storage import storage_client
from common.context import Context
from common.errors import Conflict, NotFound, PreconditionFailed, Refusal, Unavailable, Unprocessable
from common.jobs.entities import JOBS
from common.jobs.models import JobTask
from common.jobs.run import run_job
from common.store import Repository, Work, transact
from tests.common.aso.test_content import made, spoke
from tests.common.security import context_of


def targeted(context: Context, piece: ContentPiece, *words: str) -> None:
    rows = [{"keyword": word, "content_id": piece.content_id} for word in words]
    assert keywords.upsert(context, rows).created == len(words)


def chance(context: Context, piece: ContentPiece) -> str:
    now = datetime.now(UTC)
    opportunity = Opportunity(
        opportunity_id=str(uuid.uuid4()),
        tenant_id=context.tenant_id,
        opportunity_type="low_hanging_fruit",
        keyword="scan",
        keyword_id="k",
        demand_basis="search_volume",
        content_id=piece.content_id,
        detected_at=now,
        created_at=now,
    )
    transact(context, lambda work: work.create(OPPORTUNITIES, opportunity))
    return opportunity.opportunity_id


def count(context: Context) -> int:
    return Repository(CONTENT_PIECES, context).count()


def test_a_hub_with_spokes_is_not_deleted_by_accident(context: Context) -> None:
    hub = made(context)
    spoke(context, hub)
    spoke(context, hub)
    with pytest.raises(Conflict) as refusal:
        deletion.delete(context, hub.content_id, DeleteQuery())
    assert (refusal.value.code, refusal.value.details) == ("has_spokes", {"spokes": 2})
    assert count(context) == 3


def test_a_dry_run_tells_exactly_what_the_deletion_does(context: Context) -> None:
    hub = made(context, monthly_traffic=100, monthly_conversions=2)
    leaves = [spoke(context, hub, monthly_traffic=10, title=f"{number}") for number in range(2)]
    unknown = spoke(context, hub, title="unknown")
    bystander = made(context, monthly_traffic=7)
    targeted(context, hub, "one", "two")
    targeted(context, leaves[0], "three")
    targeted(context, bystander, "four")
    chances = [chance(context, hub), chance(context, unknown)]
    other_chance = chance(context, bystander)

    foreseen = deletion.delete(context, hub.content_id, DeleteQuery(cascade=True, dry_run=True)).content
    assert count(context) == 5
    done = deletion.delete(context, hub.content_id, DeleteQuery(cascade=True)).content

    assert foreseen.model_copy(update={"dry_run": False}) == done
    assert (done.pieces, done.keywords_unlinked, done.opportunities_unlinked) == (4, 3, 2)
    assert (done.monthly_traffic_lost, done.monthly_conversions_lost, done.traffic_unknown) == (120, 2, 1)
    assert [piece.title for piece in done.spokes] == ["0", "1", "unknown"]
    assert [record.value for record in Repository(CONTENT_PIECES, context).select()] == [bystander]
    links = {row.value.keyword: row.value.content_id for row in Repository(KEYWORDS, context).select()}
    assert links == {"one": None, "two": None, "three": None, "four": bystander.content_id}
    found = Repository(OPPORTUNITIES, context).get_many([*chances, other_chance])
    assert [found[name].value.content_id for name in chances] == [None, None]
    assert found[other_chance].value.content_id == bystander.content_id


def test_the_address_is_free_again(context: Context) -> None:
    hub = made(context)
    leaf = spoke(context, hub, url="https://example.com/leaf")
    deletion.delete(context, leaf.content_id, DeleteQuery())
    assert made(context, url="https://example.com/leaf").url == "https://example.com/leaf"
    with pytest.raises(NotFound):
        content.get(context, leaf.content_id)


def test_a_large_hub_goes_in_passes_and_counts_everything_once(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "PIECES", 3)
    monkeypatch.setattr(references, "WRITES", 12)
    hub = made(context)
    leaves = [spoke(context, hub) for _ in range(7)]
    targeted(context, leaves[0], *(f"word {number}" for number in range(15)))
    targeted(context, hub, "its own")
    done = deletion.delete(context, hub.content_id, DeleteQuery(cascade=True)).content
    assert (done.pieces, len(done.spokes), done.keywords_unlinked) == (8, 7, 16)
    assert count(context) == 0


def test_an_interrupted_deletion_goes_on_where_it_stopped(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "PIECES", 2)
    hub = made(context)
    for _ in range(5):
        spoke(context, hub)
    passes = 0
    whole = deletion._pass

    def interrupted(work: Work, content_id: str, query: DeleteQuery) -> deletion._Gone:
        nonlocal passes
        passes += 1
        if passes == 3:
            raise Unavailable("firestore", "gone")
        return whole(work, content_id, query)

    monkeypatch.setattr(deletion, "_pass", interrupted)
    with pytest.raises(Unavailable):
        deletion.delete(context, hub.content_id, DeleteQuery(cascade=True))
    assert content.get(context, hub.content_id).value == hub
    assert count(context) == 2
    assert deletion.delete(context, hub.content_id, DeleteQuery(cascade=True)).content.pieces == 2
    assert count(context) == 0


def test_another_version_and_another_tenant_are_refused(context: Context) -> None:
    hub = made(context)
    with pytest.raises(PreconditionFailed):
        deletion.delete(dataclasses.replace(context, if_match='"1"'), hub.content_id, DeleteQuery(cascade=True))
    for query in (DeleteQuery(cascade=True), DeleteQuery(cascade=True, dry_run=True)):
        with pytest.raises(NotFound):
            deletion.delete(context_of(context.clients, "stranger"), hub.content_id, query)
    assert count(context) == 1


def test_no_spoke_is_left_without_its_hub(context: Context) -> None:
    hub = made(context)

    def add(_: int) -> str:
        try:
            spoke(context, hub)
        except Refusal as refusal:
            return refusal.code
        return "made"

    with ThreadPoolExecutor(3) as threads:
        first, second = threads.submit(add, 1), threads.submit(add, 2)
        deleted = threads.submit(deletion.delete, context, hub.content_id, DeleteQuery(cascade=True))
        outcomes = [first.result(), second.result()]
        assert 1 <= deleted.result().content.pieces <= 3
    assert set(outcomes) <= {"made", "hub_not_found"}
    assert count(context) == 0


def test_spokes_and_references_move_to_another_hub(context: Context) -> None:
    hub, other = made(context), made(context)
    leaves = [spoke(context, hub) for _ in range(3)]
    targeted(context, hub, "one")
    chance(context, hub)
    query = DeleteQuery(reassign_to=other.content_id)
    foreseen = deletion.delete(context, hub.content_id, query.model_copy(update={"dry_run": True})).content
    done = deletion.delete(context, hub.content_id, query).content
    assert foreseen.model_copy(update={"dry_run": False}) == done
    assert (done.pieces, done.spokes_moved, done.reassigned_to) == (1, 3, other.content_id)
    assert done.references == {"keyword": {"reassigned": 1}, "opportunity": {"reassigned": 1}}
    assert (done.keywords_unlinked, done.opportunities_unlinked) == (0, 0)
    assert {content.get(context, leaf.content_id).value.hub_id for leaf in leaves} == {other.content_id}
    assert [record.value.content_id for record in Repository(KEYWORDS, context).select()] == [other.content_id]


def test_a_move_of_many_spokes_goes_on_where_it_stopped(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "PIECES", 2)
    hub, other = made(context), made(context)
    for _ in range(5):
        spoke(context, hub)
    moved, whole = 0, deletion._moved

    def interrupted(*arguments: object) -> deletion._Gone:
        nonlocal moved
        moved += 1
        if moved == 2:
            raise Unavailable("firestore", "gone")
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(deletion, "_moved", interrupted)
    query = DeleteQuery(reassign_to=other.content_id)
    with pytest.raises(Unavailable):
        deletion.delete(context, hub.content_id, query)
    assert deletion.delete(context, hub.content_id, query).content.spokes_moved == 3
    assert Repository(CONTENT_PIECES, context).count([("hub_id", "==", other.content_id)]) == 5


def test_where_references_cannot_go(context: Context) -> None:
    hub = made(context)
    leaf, sibling = spoke(context, hub), spoke(context, hub)
    archived = made(context)
    content.archive(context, archived.content_id, ArchiveRequest())
    refused = [
        (hub, {"reassign_to": "nowhere"}, "reassign_to_not_found"),
        (hub, {"reassign_to": hub.content_id}, "reassign_to_itself"),
        (hub, {"reassign_to": leaf.content_id}, "reassign_to_not_hub"),
        (hub, {"reassign_to": leaf.content_id, "cascade": True}, "reassign_to_deleted"),
        (hub, {"reassign_to": archived.content_id}, "reassign_to_archived"),
    ]
    for piece, query, code in refused:
        for dry_run in (True, False):
            with pytest.raises(Unprocessable) as refusal:
                deletion.delete(context, piece.content_id, DeleteQuery(**query, dry_run=dry_run))  # type: ignore[arg-type]
            assert refusal.value.code == code
    assert count(context) == 4
    deletion.delete(context, leaf.content_id, DeleteQuery(reassign_to=sibling.content_id))
    assert count(context) == 3


def test_what_takes_longer_is_a_job(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "AT_ONCE", 3)
    monkeypatch.setattr(deletion, "PIECES", 2)
    with contextlib.suppress(BucketExists):
        context.clients.get(storage_client).create_bucket(context.clients.settings.report_bucket)
    hub = made(context)
    leaves = [spoke(context, hub) for _ in range(3)]
    targeted(context, leaves[0], "one", "two")
    with pytest.raises(Conflict) as refusal:
        deletion.delete(context, hub.content_id, DeleteQuery())
    assert refusal.value.code == "has_spokes"
    answer = deletion.delete(context, hub.content_id, DeleteQuery(cascade=True))
    assert (answer.status, answer.headers["Location"]) == (202, f"/v1/jobs/{answer.content.job_id}")
    assert count(context) == 4

    whole, passes = deletion._pass, 0

    def crashing(*arguments: object) -> deletion._Gone:
        nonlocal passes
        passes += 1
        if passes == 2:
            raise RuntimeError("the machine is gone")
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(deletion, "_pass", crashing)
    task = JobTask(job_id=uuid.UUID(answer.content.job_id))
    with pytest.raises(RuntimeError):
        run_job(context, task, deletion.run)
    assert count(context) == 2
    run_job(context, task, deletion.run)
    job = Repository(JOBS, context).get(str(task.job_id)).value
    assert (job.status, count(context)) == ("succeeded", 0)
    assert job.result == {"pieces": 4, "spokes_moved": 0, "references": {"keyword": {"cleared": 2}}}
    assert {record.value.content_id for record in Repository(KEYWORDS, context).select()} == {None}
