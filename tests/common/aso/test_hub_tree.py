"""The tree of a hub."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from common.aso import hub_tree, ranks
from common.aso.content_models import TreeQuery
from common.aso.normalize import keyword_id_of
from common.context import Context
from common.errors import Conflict, NotFound
from tests.common.aso.test_content import archived, made, spoke
from tests.common.security import context_of


def test_a_tree_has_ranks_traffic_and_totals(context: Context) -> None:
    hub = made(context, keyword_primary="Scan", monthly_traffic=100, ranking_position=40)
    tracked = spoke(context, hub, title="tracked", keyword_primary="QR  Code", monthly_traffic=20, ranking_position=50)
    told = spoke(context, hub, title="told", keyword_primary="unfollowed", ranking_position=7)
    nowhere = archived(context, spoke(context, hub, title="nowhere", keyword_primary="nothing"))
    day = datetime.now(UTC).date().isoformat()
    ranks.record(
        context,
        [
            {"keyword": "qr code", "date": day, "state": "ranked", "position": 4},
            {"keyword": "nothing", "date": day, "state": "not_found", "depth": 100},
        ],
        create_missing=True,
    )
    tree = hub_tree.read(context, hub.content_id, TreeQuery())
    assert tree.hub.content_id == hub.content_id
    assert [node.content_id for node in tree.spokes] == [tracked.content_id, told.content_id, nowhere.content_id]
    assert [node.keyword_ranking for node in tree.spokes] == [4, None, None]
    assert tree.spokes[0].keyword_id == keyword_id_of(context.tenant_id, "qr code")
    totals = tree.totals
    assert (totals.spokes, totals.spokes_by_status) == (3, {"archived": 1, "draft": 2})
    assert (totals.monthly_traffic, totals.traffic_unknown) == (120, 2)
    assert totals.ranked == 3
    assert totals.average_rank == pytest.approx((40 + 4 + 7) / 3)


def test_a_hub_alone_has_no_average(context: Context) -> None:
    tree = hub_tree.read(context, made(context).content_id, TreeQuery())
    assert (tree.spokes, tree.totals.average_rank, tree.next_cursor) == ([], None, None)


def test_pages_show_every_spoke_once_with_the_totals_of_all(context: Context) -> None:
    hub = made(context)
    made_spokes = [spoke(context, hub, monthly_traffic=1).content_id for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        tree = hub_tree.read(context, hub.content_id, TreeQuery(limit=2, cursor=cursor))
        assert (tree.totals.spokes, tree.totals.monthly_traffic) == (5, 5)
        seen += [node.content_id for node in tree.spokes]
        cursor = tree.next_cursor
        if cursor is None:
            break
    assert seen == made_spokes


def test_a_spoke_has_no_tree_and_strangers_see_none(context: Context) -> None:
    hub = made(context)
    leaf = spoke(context, hub)
    with pytest.raises(Conflict) as refusal:
        hub_tree.read(context, leaf.content_id, TreeQuery())
    assert (refusal.value.code, refusal.value.details) == ("not_a_hub", {"hub_id": hub.content_id})
    with pytest.raises(NotFound):
        hub_tree.read(context_of(context.clients, "stranger"), hub.content_id, TreeQuery())
