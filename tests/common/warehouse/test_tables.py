"""The tables are those of document 000, and only plain identifiers ever become SQL."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util

import pytest

from common.errors import ConfigurationError
from common.registry import TableRecord, entities
from common.warehouse.fact_tables import fact_view_query, tenant_facts
from common.warehouse.merge import merge_sql, reassert_sql
from common.warehouse.tables import dataset_id, declared_columns, identifier, relations, view_query
from tests.warehouse_guard import (
    UNPARTITIONED_READS,
    GuardError,
    check_reader,
    check_statement,
    estimated_bytes,
    view_partitions,
)

DOCUMENT_000 = {
    "content_piece": """content_id STRING NOT NULL, content_type STRING NOT NULL, keyword_primary STRING NOT NULL,
        keyword_secondary ARRAY<STRING>, hub_id STRING, title STRING NOT NULL, meta_description STRING, url STRING,
        word_count INT64, status STRING NOT NULL, performance_score FLOAT64, ranking_position INT64,
        monthly_traffic INT64, monthly_conversions INT64, conversion_rate FLOAT64, created_at TIMESTAMP NOT NULL,
        published_at TIMESTAMP, updated_at TIMESTAMP
        PARTITION BY DATE(created_at) CLUSTER BY status, content_type""",
    "keyword": """keyword STRING NOT NULL, search_volume INT64, difficulty_score FLOAT64, kgr_score FLOAT64,
        intent STRING, current_ranking INT64, best_ranking INT64, target_ranking INT64, serp_history JSON,
        competitor_rankings JSON, last_checked TIMESTAMP, priority STRING, content_id STRING,
        created_at TIMESTAMP NOT NULL
        PARTITION BY DATE(last_checked) CLUSTER BY priority, intent""",
    "opportunity": """opportunity_id STRING NOT NULL, opportunity_type STRING NOT NULL, keyword STRING NOT NULL,
        confidence_score FLOAT64, estimated_traffic INT64, estimated_difficulty FLOAT64, recommendation STRING,
        detected_at TIMESTAMP NOT NULL, status STRING NOT NULL, content_id STRING, created_at TIMESTAMP NOT NULL
        PARTITION BY DATE(detected_at) CLUSTER BY status, opportunity_type""",
}
"""The columns, partition and clustering of document 000."""


def table_of(name: str) -> TableRecord:
    table = entities()[name].table
    assert table is not None
    return table


@pytest.mark.parametrize("name", sorted(DOCUMENT_000))
def test_the_current_table_is_that_of_document_000(name: str) -> None:
    current = relations("demo-tables", "demo", entities()[name]).current
    assert current is not None
    ddl = " ".join(current.ddl().split())
    columns, _, rest = " ".join(DOCUMENT_000[name].split()).partition(" PARTITION")
    for column in columns.split(", "):
        assert f" {column}, " in ddl, column
    assert f"PARTITION{rest}" in ddl
    assert "schema_version INT64" in ddl, "all tables include it (document 000)"
    assert current.dataset == "aso_tenant_demo"


def test_the_log_keeps_ninety_days_by_arrival() -> None:
    log = relations("demo-tables", "demo", entities()["keyword"]).log
    assert log.resource()["timePartitioning"] == {
        "type": "DAY", "field": "appended_at", "expirationMs": "7776000000"
    }  # fmt: skip
    assert log.resource()["clustering"] == {"fields": ["keyword_id"]}
    modes = {column.name: column.mode for column in log.columns}
    assert {name for name, mode in modes.items() if mode == "REQUIRED"} == {
        "keyword_id", "change_sequence", "change_operation", "change_event_id", "appended_at"
    }  # fmt: skip


def test_observations_are_partitioned_by_their_day_and_kept() -> None:
    log = relations("demo-tables", "demo", entities()["rank_observation"]).log
    assert log.name == "rank_observations"
    assert "PARTITION BY date\n" in log.ddl()
    assert "OPTIONS" not in log.ddl()


@pytest.mark.parametrize("name", ["", "x;y", "a b", "Upper", "a`b", "a.b", "1a", "a-b", "ä"])
def test_only_plain_names_become_sql(name: str) -> None:
    with pytest.raises(ConfigurationError):
        identifier(name)


@pytest.mark.parametrize("tenant_id", ["", "_platform", "a-b", "a.b", "A", "a`", "x" * 64, "demo\n"])
def test_only_tenant_ids_name_data_sets(tenant_id: str) -> None:
    with pytest.raises(ConfigurationError):
        dataset_id(table_of("keyword"), tenant_id)


@pytest.mark.parametrize("broken", [{"key": "nothing"}, {"columns": {"keyword_id": "TEXT"}}, {"cluster": ("nothing",)}])
def test_a_declaration_that_contradicts_itself_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        declared_columns(dataclasses.replace(table_of("keyword"), **broken))  # type: ignore[arg-type]


def test_every_statement_passes_the_guard() -> None:
    for entity in entities().values():
        if entity.table is None:
            continue
        found = relations("demo-tables", "demo", entity)
        if found.current is not None:
            check_statement(view_query(found))
            check_statement(merge_sql(found, found.current), ["since", "retained"])
            check_statement(reassert_sql(found), ["since", "retained", "recent", "now"])
    for facts in tenant_facts("demo-tables", "demo").values():
        check_statement(fact_view_query(facts))


def test_the_guard_sees_what_it_is_for() -> None:
    log = "`demo-tables.aso_tenant_demo.keywords_changes`"
    for sql in (
        f"SELECT keyword FROM {log}",
        f"SELECT keyword FROM {log} WHERE keyword = 'appended_at'",
        "SELECT DATE_TRUNC(day, WEEK(MONDAY)) FROM (SELECT CURRENT_DATE() AS day)",
        f"DELETE FROM {log} WHERE keyword = 'x'",
        f"UPDATE {log} SET keyword = 'y' WHERE keyword = 'x'",
        "SELECT @given",
        "SELECT FROM WHERE",
    ):
        with pytest.raises(GuardError):
            check_statement(sql)
    check_statement(f"SELECT keyword FROM {log} WHERE appended_at >= @since", ["since"])
    check_statement(f"DELETE FROM {log} WHERE appended_at >= @since AND keyword = 'x'", ["since"])


def test_the_view_reads_two_narrow_columns_of_what_it_does_not_return() -> None:
    """Looking up superseded rows must not read whole rows: key and sequence only."""
    sql = "SELECT keyword_id, change_sequence FROM `demo-tables.aso_tenant_demo.keywords`"
    assert estimated_bytes(sql, {"keywords": 1_000_000}) == 40_000_000


@pytest.mark.parametrize(
    ("where", "refused"),
    [
        ("WHERE DATE(last_checked) >= @day", False),
        ("WHERE last_checked IS NULL OR last_checked >= @day", False),
        ("WHERE created_at >= @day", True),
        ("", True),
    ],
)
def test_a_reader_that_leaves_no_partition_out_is_refused(where: str, refused: bool) -> None:
    sql = f"WITH read AS (SELECT keyword_id FROM `p.d.keywords_latest` {where}) SELECT COUNT(*) FROM read"
    check_reader(sql, "tests.some_test")
    with pytest.raises(GuardError) if refused else contextlib.nullcontext():
        check_reader(sql, "common.aso.some_reader")


def test_every_exception_names_a_reader_and_a_view() -> None:
    for module, view in UNPARTITIONED_READS:
        assert importlib.util.find_spec(module) is not None
        assert view in view_partitions()
