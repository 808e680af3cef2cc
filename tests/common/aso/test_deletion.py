"""Deletion: what goes, what lets go, what is told before."""

from __future__ import annotations

import dataclasses
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from common.aso import content, deletion, keywords
from common.aso.content_models import DeleteQuery
from common.aso.entities import CONTENT_PIECES, KEYWORDS, OPPORTUNITIES
from common.aso.models import ContentPiece, Opportunity
from common.context import Context
from common.errors import Conflict, NotFound, PreconditionFailed, Refusal, Unavailable
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

    foreseen = deletion.delete(context, hub.content_id, DeleteQuery(cascade=True, dry_run=True))
    assert count(context) == 5
    done = deletion.delete(context, hub.content_id, DeleteQuery(cascade=True))

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
    monkeypatch.setattr(deletion, "WRITES", 12)
    hub = made(context)
    leaves = [spoke(context, hub) for _ in range(7)]
    targeted(context, leaves[0], *(f"word {number}" for number in range(15)))
    targeted(context, hub, "its own")
    done = deletion.delete(context, hub.content_id, DeleteQuery(cascade=True))
    assert (done.pieces, len(done.spokes), done.keywords_unlinked) == (8, 7, 16)
    assert count(context) == 0


def test_an_interrupted_deletion_goes_on_where_it_stopped(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "PIECES", 2)
    hub = made(context)
    for _ in range(5):
        spoke(context, hub)
    passes = 0
    whole = deletion._pass

    def interrupted(work: Work, content_id: str, query: DeleteQuery) -> deletion._Taken:
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
    assert deletion.delete(context, hub.content_id, DeleteQuery(cascade=True)).pieces == 2
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
        assert 1 <= deleted.result().pieces <= 3
    assert set(outcomes) <= {"made", "hub_not_found"}
    assert count(context) == 0
