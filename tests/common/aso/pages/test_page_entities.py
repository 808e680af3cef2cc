"""The entities of audits: their tables, and an index for each query on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from common.aso import content
from common.aso.content_models import PublishRequest
from common.aso.pages import link_audit, published, score, site_audit
from common.aso.pages.entities import LINK_AUDITS, PAGE_AUDITS, SITE_AUDITS
from common.aso.pages.link_models import LinkAuditRequest
from common.aso.pages.published import pieces_of
from common.aso.pages.score_models import PageAuditQuery
from common.aso.pages.site_models import SiteAuditQuery
from common.collection import Collection, Filter
from common.context import Context
from common.entity import Entity
from tests.common.aso import test_entities as declarations
from tests.common.aso.test_content import made, spoke
from tests.common.aso.test_entities import has_index

EVERY = (LINK_AUDITS, PAGE_AUDITS, SITE_AUDITS)


@pytest.mark.parametrize("entity", EVERY, ids=[entity.name for entity in EVERY])
def test_tables(entity: Entity[Any]) -> None:
    declarations.test_columns_are_fields_and_required_where_the_model_requires(entity)


QUERIES: list[Callable[[Context, str], object]] = [
    lambda context, hub: score.listed(context, hub, PageAuditQuery()),
    lambda context, _: site_audit.listed(context, SiteAuditQuery()),
    lambda context, _: pieces_of(context, 10),
    lambda context, hub: link_audit.request(context, hub, LinkAuditRequest(pages=[])),
]


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_every_query_has_its_indexes(context: Context, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = made(context, url="https://example.com/hub")
    spoke(context, hub)
    seen = []
    whole = Collection.query

    def watched(self: Collection[Any], filters: Sequence[Filter], order: Sequence[str] = ()) -> Any:
        assert has_index(self.entity, filters, order), (self.entity.name, filters, order)
        seen.append(self.entity.name)
        return whole(self, filters, order)

    monkeypatch.setattr(Collection, "query", watched)
    QUERIES[number](context, hub.content_id)
    assert seen


def test_pieces_are_read_in_pages_up_to_a_limit(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "PAGE", 2)
    pieces = [made(context, url=f"https://example.com/{number}") for number in range(3)]
    assert pieces_of(context, 10) == ([], False)
    for piece in pieces:
        content.publish(context, piece.content_id, PublishRequest())
    for limit, newest, more in (
        (0, [], True),
        (2, ["2", "1"], True),
        (3, ["2", "1", "0"], False),
        (9, ["2", "1", "0"], False),
    ):
        found, left = pieces_of(context, limit)
        assert ([(piece.url or "")[-1] for piece in found], left) == (newest, more)
