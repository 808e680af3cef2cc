"""Provisioning a tenant: idempotent, and a column gained later is added without touching what is there."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from common.clients.bigquery import bigquery_client
from common.context import Context
from common.errors import ConfigurationError
from common.registry import EntityRecord, entities
from common.warehouse import provision, query, tables
from common.warehouse.log import append
from common.warehouse.merge import merge
from common.warehouse.provision import provision_tenant
from common.warehouse.query import Typed, parameter, rows
from common.warehouse.rows import row_of
from common.warehouse.tables import relations
from tests.common.warehouse.changes import event, keyword


def test_the_tables_are_as_declared(tenant: Context) -> None:
    client = tenant.clients.get(bigquery_client)
    found = relations(tenant.clients.settings.project, tenant.tenant_id, entities()["content_piece"])
    assert found.current is not None
    table = client.get_table(found.current.id)
    assert [(field.name, field.mode) for field in table.schema] == [
        (column.name, column.mode) for column in found.current.columns
    ]
    assert table.time_partitioning.field == "created_at"
    assert table.clustering_fields == ["status", "content_type"]
    log = client.get_table(found.log.id)
    assert log.time_partitioning.expiration_ms == 90 * 86_400_000
    dataset = client.get_dataset(f"{tenant.clients.settings.project}.{found.log.dataset}")
    assert dataset.labels == {"tenant": tenant.tenant_id, "managed-by": "xynergy"}
    assert dataset.location == tenant.clients.settings.region


def test_provisioning_again_changes_nothing(tenant: Context) -> None:
    again = provision_tenant(tenant, tenant.tenant_id)
    assert again == provision.Provisioned(tables=(), columns=())


def test_what_a_crash_left_undone_is_made_up_and_nothing_else_is_touched(tenant: Context) -> None:
    client = tenant.clients.get(bigquery_client)
    found = relations(tenant.clients.settings.project, tenant.tenant_id, entities()["keyword"])
    assert found.current is not None
    assert append(tenant, found.log, [row_of(found.table, event(tenant.tenant_id, keyword(1), 1))]) == {}
    client.delete_table(found.current.id)
    client.delete_table(found.view.strip("`"))
    assert provision_tenant(tenant, tenant.tenant_id) == provision.Provisioned(tables=("keywords",), columns=())
    assert rows(tenant, "SELECT keyword_id FROM {keywords_latest}", {}) == [{"keyword_id": "keyword-00001"}]


def test_a_view_whose_text_changed_shows_what_the_new_one_says(
    tenant: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provision, "view_query", lambda found: f"SELECT '{found.entity.name}' AS of")
    provision_tenant(tenant, tenant.tenant_id)
    assert rows(tenant, "SELECT of FROM {keywords_latest}", {}) == [{"of": "keyword"}]
    monkeypatch.undo()
    provision_tenant(tenant, tenant.tenant_id)
    assert rows(tenant, "SELECT keyword_id FROM {keywords_latest}", {}) == []


def test_a_gained_column_is_added_and_filled(tenant: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    old = entities()["keyword"]
    first = relations(tenant.clients.settings.project, tenant.tenant_id, old)
    assert append(tenant, first.log, [row_of(first.table, event(tenant.tenant_id, keyword(1), 1))]) == {}
    merge(tenant, first, None)

    new = with_columns(old, {"season": "STRING", "markets": "ARRAY<STRING>"})
    monkeypatch.setattr(tables, "entities", lambda: {"keyword": new})
    assert set(provision_tenant(tenant, tenant.tenant_id).columns) == {
        "keywords.season", "keywords.markets", "keywords_changes.season", "keywords_changes.markets"
    }  # fmt: skip
    found = relations(tenant.clients.settings.project, tenant.tenant_id, new)
    late = event(tenant.tenant_id, keyword(2, season="summer", markets=["de", "fr"]), 1)
    assert append(tenant, found.log, [row_of(found.table, late)]) == {}
    merge(tenant, found, None)
    answer = rows(tenant, "SELECT keyword_id, season, markets FROM {keywords_latest} ORDER BY keyword_id", {})
    assert [(row["season"], row["markets"]) for row in answer] == [(None, []), ("summer", ["de", "fr"])]
    assert provision_tenant(tenant, tenant.tenant_id).columns == ()


def with_columns(entity: EntityRecord, columns: dict[str, str]) -> EntityRecord:
    assert entity.table is not None
    table = dataclasses.replace(entity.table, columns={**entity.table.columns, **columns})
    return dataclasses.replace(entity, table=table)


def test_only_declared_relations_become_table_names(tenant: Context) -> None:
    with pytest.raises(ConfigurationError):
        query.with_tables(tenant, "SELECT 1 FROM {keywords_latest`; DROP TABLE x; --}")
    assert f"aso_tenant_{tenant.tenant_id}.keywords`" in query.with_tables(tenant, "SELECT 1 FROM {keywords}")


@pytest.mark.parametrize("value", [None, [], [1, "a"], object(), [None]])
def test_values_without_a_type_are_no_parameters(value: Any) -> None:
    with pytest.raises(TypeError):
        parameter("p", value)


def test_parameters_keep_their_types(tenant: Context) -> None:
    from datetime import UTC, date, datetime

    values: dict[str, object] = {
        "text": "it's; --",
        "number": 7,
        "share": 0.5,
        "yes": True,
        "day": date(2026, 1, 31),
        "moment": datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC),
        "words": ["a", "b"],
        "nothing": Typed("STRING", None),
        "none": Typed("INT64", []),
    }
    sql = "SELECT " + ", ".join(f"@{name} AS {name}" for name in values)
    [row] = rows(tenant, sql, values)
    assert row == {**values, "nothing": None, "none": []}
    structs = "SELECT s.word AS word, s.number AS number FROM UNNEST(@rows) AS s ORDER BY number"
    given = [{"word": "b", "number": 1}, {"word": "a", "number": 2}]
    assert rows(tenant, structs, {"rows": given}) == given
