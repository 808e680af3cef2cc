"""What is stored is planned as it is declared: indexes, fields, tables, buckets, and what protects them."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass

import sqlglot

from common import registry
from common.registry import entities
from common.technical import COLLECTIONS
from common.warehouse.fact_tables import fact_view_query, tenant_facts
from common.warehouse.tables import Relation, relations, view_query
from tests.terraform.conftest import TENANT
from tests.terraform.plans import Inventory, Resource
from triggers.manifest import ROOT

DAY = 24 * 3600 * 1000
LIFETIMES = {"content": 30, "reports": 365, "research": 90, "trending": 30}
"""Days that documents 000 and 004 keep what is in a bucket."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """What a declaration says to Firestore about the collections of one id."""

    collection: str
    indexes: list[tuple[str, ...]]
    unindexed: set[str]
    expiry: set[str]


def declared() -> list[Declared]:
    """Return every declaration with settings of Firestore: entities, and technical documents."""
    document = json.loads((ROOT / "common" / "entities.json").read_text(encoding="utf-8"))
    return [
        *(
            Declared(
                collection=entity["collection"],
                indexes=[tuple(index["fields"]) for index in entity["indexes"]],
                unindexed=set(entity["unindexed"]),
                expiry=set(filter(None, [entity["ttl"]])),
            )
            for entity in document["entities"]
        ),
        *(
            Declared(
                collection=technical.path.rpartition("/")[2],
                indexes=[index.fields for index in technical.indexes],
                unindexed=set(technical.unindexed),
                expiry=set(filter(None, [technical.ttl])),
            )
            for technical in COLLECTIONS
        ),
    ]


def ordered(field: str) -> tuple[str, str]:
    if field.endswith("[]"):
        return field.removesuffix("[]"), "CONTAINS"
    return field.removeprefix("-"), "DESCENDING" if field.startswith("-") else "ASCENDING"


def test_every_declared_index_is_made(inventory: Inventory) -> None:
    """Prevents a query that works on the emulator and fails in the cloud, and an index that is paid for unused."""
    planned = {
        (
            index["collection"],
            tuple((field["field_path"], field["order"] or field["array_config"]) for field in index["fields"]),
        )
        for index in inventory.of("google_firestore_index")
    }
    needed = {
        (declaration.collection, tuple(ordered(field) for field in fields))
        for declaration in declared()
        for fields in declaration.indexes
    }
    assert planned == needed
    assert all(len(fields) >= 2 for _, fields in planned), "Firestore refuses a composite index of one field"
    for index in inventory.of("google_firestore_index"):
        assert index["query_scope"] == "COLLECTION"


def test_exempt_fields_and_expiry_are_set(inventory: Inventory) -> None:
    """Prevents index costs of long texts, and technical documents that stay for ever."""
    planned = {
        (field["collection"], field["field"]): (bool(field["index_config"]), bool(field["ttl_config"]))
        for field in inventory.of("google_firestore_field")
    }
    unindexed = {(found.collection, field) for found in declared() for field in found.unindexed}
    expiring = {(found.collection, field) for found in declared() for field in found.expiry}
    needed = {field: (field in unindexed, field in expiring) for field in unindexed | expiring}
    assert planned == needed
    for field in inventory.of("google_firestore_field"):
        for config in field["index_config"]:
            assert not config["indexes"], "an index in the block would make one instead of none"


def test_settings_belong_to_the_one_database(inventory: Inventory) -> None:
    """Prevents indexes in a database that nobody reads."""
    [database] = inventory.of("google_firestore_database")
    for resource in inventory.of(
        "google_firestore_index", "google_firestore_field", "google_firestore_backup_schedule"
    ):
        assert resource["database"] == database["name"]


def test_documents_can_be_restored(prod: Inventory) -> None:
    """Prevents a loss that nothing undoes: document 002 allows five minutes of it."""
    [database] = prod.of("google_firestore_database")
    assert database["point_in_time_recovery_enablement"] == "POINT_IN_TIME_RECOVERY_ENABLED"
    assert database["delete_protection_state"] == "DELETE_PROTECTION_ENABLED"
    assert database["deletion_policy"] == "ABANDON"
    [backup] = prod.of("google_firestore_backup_schedule")
    assert int(backup["retention"].removesuffix("s")) >= 30 * 24 * 3600


def test_production_protects_what_holds_data(prod: Inventory) -> None:
    """Prevents a destroy, or a change that replaces, from taking the tenants' data along."""
    for table in prod.of("google_bigquery_table"):
        assert bool(table["deletion_protection"]) is not bool(table["view"]), table.address
    for dataset in prod.of("google_bigquery_dataset"):
        assert not dataset["delete_contents_on_destroy"], dataset.address
    bundles = "xynergy-bundles"
    for name, bucket in prod.named("google_storage_bucket").items():
        assert bool(bucket["force_destroy"]) is name.endswith(bundles), name


def test_development_can_be_taken_down(dev: Inventory) -> None:
    """Prevents a project for trials that nobody can empty."""
    [database] = dev.of("google_firestore_database")
    assert database["delete_protection_state"] == "DELETE_PROTECTION_DISABLED"
    assert all(bucket["force_destroy"] for bucket in dev.of("google_storage_bucket"))


def tables(inventory: Inventory) -> dict[str, Resource]:
    return {table["table_id"]: table for table in inventory.of("google_bigquery_table")}


def is_as_declared(table: Resource, relation: Relation) -> bool:
    """Tell whether a planned table is what the provisioning function would make."""
    resource = relation.resource()
    partition = resource.get("timePartitioning", {})
    planned = table.block("time_partitioning")
    expires = partition.get("expirationMs")
    return (
        [tuple(sorted(field.items())) for field in json.loads(table["schema"])]
        == [tuple(sorted(field.items())) for field in resource["schema"]["fields"]]
        and (table["clustering"] or []) == resource.get("clustering", {}).get("fields", [])
        and planned.get("field") == partition.get("field")
        and planned.get("type") == partition.get("type")
        and planned.get("expiration_ms") == (int(expires) if expires else None)
    )


def test_tables_are_those_of_the_entities(prod: Inventory) -> None:
    """Prevents two makers of tables that disagree: Terraform for some tenants, a function for all."""
    planned = tables(prod)
    project = prod.of("google_bigquery_table")[0]["project"]
    expected: set[str] = set()
    for entity in entities().values():
        if entity.table is None:
            continue
        made = relations(project, TENANT, entity)
        for relation in filter(None, (made.current, made.log)):
            expected.add(relation.name)
            assert planned[relation.name]["dataset_id"] == relation.dataset
            assert is_as_declared(planned[relation.name], relation), relation.name
        expected.add(made.view_name)
        view = planned[made.view_name].block("view")
        assert view["query"] == view_query(made)
        assert view["use_legacy_sql"] is False
    for facts in tenant_facts(project, TENANT).values():
        for relation in (facts.rows, facts.batches):
            assert planned[relation.name]["dataset_id"] == relation.dataset
            assert is_as_declared(planned[relation.name], relation), relation.name
        assert planned[facts.view_name].block("view")["query"] == fact_view_query(facts)
        expected |= {facts.rows.name, facts.batches.name, facts.view_name}
    assert set(planned) == expected


def test_tables_keep_the_declared_partition_and_clusters(prod: Inventory) -> None:
    """Prevents scans of whole tables, which document 000's partitions and clusters are there to avoid."""
    planned = tables(prod)
    for entity in entities().values():
        if entity.table is None:
            continue
        table = planned[entity.table.name]
        assert table.block("time_partitioning").get("field") == entity.table.partition
        assert table["clustering"] == list(entity.table.cluster)
        columns = {field["name"] for field in json.loads(table["schema"])}
        assert set(entity.table.columns) <= columns


def test_logs_of_changes_expire(prod: Inventory) -> None:
    """Prevents a log that grows without end: what is older than 90 days has long been merged."""
    for name, table in tables(prod).items():
        if name.endswith("_changes"):
            assert table.block("time_partitioning")["expiration_ms"] == 90 * DAY


def test_buckets_are_private_and_emptied(inventory: Inventory) -> None:
    """Prevents files that the world can read, and files that are paid for after their time."""
    buckets = inventory.named("google_storage_bucket")
    for name, bucket in buckets.items():
        assert bucket["public_access_prevention"] == "enforced", name
        assert bucket["uniform_bucket_level_access"] is True, name
    for suffix, days in LIFETIMES.items():
        [bucket] = [bucket for name, bucket in buckets.items() if name.endswith(f"-{suffix}")]
        ages = [
            rule["condition"][0]["age"]
            for rule in bucket["lifecycle_rule"]
            if rule["action"][0]["type"] == "Delete" and rule["condition"][0]["with_state"] == "LIVE"
        ]
        assert ages == [days], suffix


def test_redis_fails_over_or_is_left_out(dev: Inventory, prod: Inventory) -> None:
    """Prevents a cache whose machine's failure is everybody's outage, and a development project that pays for one."""
    assert not dev.of("google_redis_instance", "google_vpc_access_connector")
    [redis] = prod.of("google_redis_instance")
    assert redis["tier"] == "STANDARD_HA"
    assert redis["auth_enabled"] is True


def test_only_users_of_redis_enter_its_network(prod: Inventory) -> None:
    """Prevents cold starts and rights that a function does not need."""
    needs = prod.plan["planned_values"]["outputs"]["grants"]["value"]
    for name, function in prod.named("google_cloudfunctions2_function").items():
        service = function.block("service_config")
        secrets = {secret["key"] for secret in service["secret_environment_variables"]}
        assert ("REDIS_URL" in secrets) is ("redis:use" in needs[name]), name
        egress = "PRIVATE_RANGES_ONLY" if "redis:use" in needs[name] else None
        assert service["vpc_connector_egress_settings"] == egress, name


def test_exports_and_snapshots_outlive_what_they_copy(prod: Inventory) -> None:
    """Prevents backups that end with the database, and measurements, which no document holds, that exist once."""
    jobs = prod.named("google_cloud_scheduler_job")
    export = jobs["xynergy-firestore-export"].block("http_target")
    assert export["uri"].endswith("/databases/(default):exportDocuments")
    body = json.loads(base64.b64decode(export["body"]))
    buckets = {f"gs://{bucket['name']}": bucket for bucket in prod.of("google_storage_bucket")}
    assert body == {"outputUriPrefix": "gs://xynergy-prod-xynergy-backups"}
    assert buckets[body["outputUriPrefix"]]["force_destroy"] is False
    [snapshots] = prod.of("google_bigquery_data_transfer_config")
    query = snapshots["params"]["query"]
    for measured in registry.facts().values():
        for relation in (made := tenant_facts("demo-project", TENANT)[measured.name]).rows, made.batches:
            assert f"'{relation.name}'" in query
    assert "INFORMATION_SCHEMA.TABLES" in query
    kept = prod.named("google_bigquery_dataset", "dataset_id")["xynergy_snapshots"]
    assert kept["default_table_expiration_ms"] >= 7 * DAY, "longer than time travel reaches back"


def test_the_snapshots_statement_is_sql(prod: Inventory) -> None:
    """Prevents a statement that fails every Sunday: each of its queries is parsed as BigQuery would."""
    [snapshots] = prod.of("google_bigquery_data_transfer_config")
    query = snapshots["params"]["query"]
    [select] = re.findall(r"FOR found IN \((.*?)\n\)", query, re.DOTALL)
    assert sqlglot.parse_one(select, dialect="bigquery").find(sqlglot.exp.Table)
    [statement] = re.findall(r"FORMAT\(\s*'(.*?)',", query, re.DOTALL)
    made = statement.replace("%s", "x")
    assert sqlglot.parse_one(made.replace("SNAPSHOT TABLE", "TABLE"), dialect="bigquery")
    assert statement.count("%s") == len(query.split(statement)[1].split("\n")[1].split(",")) == 5


def test_backups_are_daily_and_reach_back(prod: Inventory) -> None:
    """Document 002: a full backup a day; the goal of five minutes is that of point-in-time recovery."""
    [schedule] = prod.of("google_firestore_backup_schedule")
    assert schedule["daily_recurrence"]
    assert int(schedule["retention"].removesuffix("s")) >= 30 * DAY // 1000
    [database] = prod.of("google_firestore_database")
    assert database["point_in_time_recovery_enablement"] == "POINT_IN_TIME_RECOVERY_ENABLED"
