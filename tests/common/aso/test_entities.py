"""The declarations: every column of document 000, and an index for every query."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from common.aso import content, deletion, hub_tree, keywords, rank_history, ranks
from common.aso.caches import ASO_CONTENT, ASO_KEYWORDS, ASO_OPPORTUNITIES, ASO_STATS
from common.aso.content_models import ContentQuery, DeleteQuery, TreeQuery
from common.aso.entities import CONTENT_PIECES, KEYWORDS, OPPORTUNITIES, RANK_OBSERVATIONS
from common.aso.keyword_models import KeywordQuery
from common.aso.normalize import keyword_id_of
from common.aso.rank_models import HistoryQuery
from common.collection import Collection, Filter
from common.context import Context
from common.entity import Entity
from tests.common.aso.test_content import made, spoke

ENTITIES: list[Entity[Any]] = [CONTENT_PIECES, KEYWORDS, OPPORTUNITIES, RANK_OBSERVATIONS]
EVERY = pytest.mark.parametrize("entity", ENTITIES, ids=[entity.name for entity in ENTITIES])

DOCUMENT_000 = {
    "content_pieces": {
        "content_id": "STRING NOT NULL",
        "content_type": "STRING NOT NULL",
        "keyword_primary": "STRING NOT NULL",
        "keyword_secondary": "ARRAY<STRING>",
        "hub_id": "STRING",
        "title": "STRING NOT NULL",
        "meta_description": "STRING",
        "url": "STRING",
        "word_count": "INT64",
        "status": "STRING NOT NULL",
        "performance_score": "FLOAT64",
        "ranking_position": "INT64",
        "monthly_traffic": "INT64",
        "monthly_conversions": "INT64",
        "conversion_rate": "FLOAT64",
        "created_at": "TIMESTAMP NOT NULL",
        "published_at": "TIMESTAMP",
        "updated_at": "TIMESTAMP",
    },
    "keywords": {
        "keyword": "STRING NOT NULL",
        "search_volume": "INT64",
        "difficulty_score": "FLOAT64",
        "kgr_score": "FLOAT64",
        "intent": "STRING",
        "current_ranking": "INT64",
        "best_ranking": "INT64",
        "target_ranking": "INT64",
        "serp_history": "JSON",
        "competitor_rankings": "JSON",
        "last_checked": "TIMESTAMP",
        "priority": "STRING",
        "content_id": "STRING",
        "created_at": "TIMESTAMP NOT NULL",
    },
    "opportunities": {
        "opportunity_id": "STRING NOT NULL",
        "opportunity_type": "STRING NOT NULL",
        "keyword": "STRING NOT NULL",
        "confidence_score": "FLOAT64",
        "estimated_traffic": "INT64",
        "estimated_difficulty": "FLOAT64",
        "recommendation": "STRING",
        "detected_at": "TIMESTAMP NOT NULL",
        "status": "STRING NOT NULL",
        "content_id": "STRING",
        "created_at": "TIMESTAMP NOT NULL",
    },
}
LAYOUT = {
    "content_pieces": ("created_at", ("status", "content_type")),
    "keywords": ("last_checked", ("priority", "intent")),
    "opportunities": ("detected_at", ("status", "opportunity_type")),
}


@pytest.mark.parametrize("name", sorted(DOCUMENT_000))
def test_the_tables_are_those_of_document_000(name: str) -> None:
    table = next(entity.table for entity in ENTITIES if entity.table is not None and entity.table.name == name)
    assert dict(table.columns).items() >= DOCUMENT_000[name].items()
    assert (table.partition, table.cluster) == LAYOUT[name]
    assert table.dataset == "aso_tenant_{tenant_id}"


@EVERY
def test_columns_are_fields_and_required_where_the_model_requires(entity: Entity[Any]) -> None:
    assert entity.table is not None
    for name, kind in entity.table.columns.items():
        field = entity.model.model_fields[name]
        if "NOT NULL" in kind:
            assert type(None) not in getattr(field.annotation, "__args__", ()), name
    assert entity.table.key == entity.key
    assert {entity.key, entity.table.partition, *entity.table.cluster} <= entity.table.columns.keys()
    assert set(entity.unindexed) <= entity.model.model_fields.keys()


@EVERY
def test_every_model_has_examples_to_show(entity: Entity[Any]) -> None:
    required = {name: field for name, field in entity.model.model_fields.items() if field.is_required()}
    schema = entity.model.model_json_schema()["properties"]
    assert [name for name in required if "examples" not in schema[name] and "$ref" not in schema[name]] == []


def test_the_caches_are_those_of_document_000() -> None:
    found = {each.name: (each.ttl, each.source) for each in (ASO_STATS, ASO_CONTENT, ASO_KEYWORDS, ASO_OPPORTUNITIES)}
    assert found == {
        "aso_stats": (300, "warehouse"),
        "aso_content": (120, "firestore"),
        "aso_keywords": (180, "firestore"),
        "aso_opportunities": (240, "firestore"),
    }
    assert all(ASO_STATS in entity.caches for entity in ENTITIES)


EQUALITIES = {"==", "in", "array_contains", "array_contains_any"}
"""Operators that the indexes of single fields answer, merged with one another."""


def has_index(entity: Entity[Any], filters: Sequence[Filter], order: Sequence[str]) -> bool:
    """Tell whether Firestore can answer a query of a tenant.

    Equalities alone are answered from the indexes of single fields. Otherwise every composite index that ends as the
    query is sorted serves the equalities it begins with, and Firestore merges those that end alike.
    """
    equal = {"tenant_id"} | {name for name, operator, _ in filters if operator in EQUALITIES}
    ranged = {name for name, operator, _ in filters if operator not in EQUALITIES}
    assert ranged <= {name.removeprefix("-") for name in order}
    if not order:
        return not equal & set(entity.unindexed)
    served: set[str] = set()
    for index in entity.indexes:
        begins, ends = set(index.fields[: -len(order)]), index.fields[-len(order) :]
        if ends == tuple(order) and begins <= equal:
            served |= begins
    return served == equal


QUERIES: list[Callable[[Context, str], object]] = [
    *(
        (lambda context, _, query=query: content.listed(context, ContentQuery.model_validate(query)))
        for query in (
            {},
            {"days": 3},
            {"status": "draft", "content_type": "hub", "days": 3},
            {"hub_id": "x", "status": "draft"},
        )
    ),
    *(
        (lambda context, _, query=query: keywords.listed(context, KeywordQuery.model_validate(query)))
        for query in (
            {},
            {"days": 3},
            {"priority": "tier1", "intent": "commercial", "content_id": "x"},
            {"priority": "tier1", "intent": "commercial", "content_id": "x", "days": 3},
        )
    ),
    *(
        (
            lambda context, _, query=query: rank_history.read(
                context, keyword_id_of(context.tenant_id, "scan"), HistoryQuery.model_validate(query)
            )
        )
        for query in ({}, {"device": "mobile"}, {"locale": "en"}, {"device": "mobile", "locale": "en"})
    ),
    lambda context, hub_id: hub_tree.read(context, hub_id, TreeQuery(limit=1)),
    lambda context, hub_id: deletion.delete(context, hub_id, DeleteQuery(cascade=True, dry_run=True)),
    lambda context, hub_id: deletion.delete(context, hub_id, DeleteQuery(cascade=True)),
    lambda context, _: keywords.upsert(context, [{"keyword": "new"}, {"keyword": "scan", "device": "mobile"}]),
]


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_every_query_has_its_indexes(context: Context, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = made(context)
    spoke(context, hub)
    spoke(context, hub)
    row = {"keyword": "scan", "date": datetime.now(UTC).date().isoformat(), "state": "ranked", "position": 3}
    ranks.record(context, [row], create_missing=True)
    seen: list[bool] = []
    whole = Collection.query

    @functools.wraps(whole)
    def watched(self: Collection[Any], filters: Sequence[Filter], order: Sequence[str] = ()) -> Any:
        assert has_index(self.entity, filters, order), (self.entity.name, filters, order)
        seen.append(True)
        return whole(self, filters, order)

    monkeypatch.setattr(Collection, "query", watched)
    QUERIES[number](context, hub.content_id)
    assert seen
