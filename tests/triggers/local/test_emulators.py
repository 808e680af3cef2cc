"""Every emulator of the session answers its real client, and a project keeps what is its own."""

from __future__ import annotations

from google.cloud import bigquery

from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.clients.pubsub import publisher_client
from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.settings import Settings
from tests.stack import TestEmulators


def test_firestore_stores(clients: Clients) -> None:
    document = clients.get(firestore_client).document("things/one")
    document.set({"colour": "red"})
    assert document.get().to_dict() == {"colour": "red"}


def test_projects_are_apart(emulators: TestEmulators, clients: Clients) -> None:
    clients.get(firestore_client).document("things/two").set({"colour": "red"})
    other = Clients(emulators.settings("other"))
    assert not other.get(firestore_client).document("things/two").get().exists


def test_pubsub_takes_topics(clients: Clients, settings: Settings) -> None:
    publisher = clients.get(publisher_client)
    topic = publisher.topic_path(settings.project, "aso-events")
    publisher.create_topic(name=topic)
    assert publisher.publish(topic, b"{}", ordering_key="one").result(10)


def test_bigquery_keeps_rows(clients: Clients, settings: Settings) -> None:
    client = clients.get(bigquery_client)
    client.create_dataset("aso_tenant_emulators")
    table = bigquery.Table(f"{settings.project}.aso_tenant_emulators.things", [bigquery.SchemaField("n", "INT64")])
    client.create_table(table)
    assert client.insert_rows_json(table, [{"n": 1}, {"n": 2}]) == []
    [row] = client.query("SELECT SUM(n) AS total FROM aso_tenant_emulators.things").result()
    assert row.total == 3


def test_redis_databases_are_apart(emulators: TestEmulators, clients: Clients) -> None:
    mine, other = clients.get(redis_client), Clients(emulators.settings("other")).get(redis_client)
    assert mine is not None
    assert other is not None
    mine.set("colour", "red")
    assert other.get("colour") is None


def test_storage_keeps_objects(clients: Clients, settings: Settings) -> None:
    bucket = clients.get(storage_client).create_bucket(settings.content_bucket)
    bucket.blob("a/b.txt").upload_from_string(b"hello")
    assert bucket.blob("a/b.txt").download_as_bytes() == b"hello"


def test_redis_comes_back_on_its_port(emulators: TestEmulators, clients: Clients) -> None:
    service = emulators.services.services["redis"]
    service.stop()
    assert not service.running
    service.start()
    client = clients.get(redis_client)
    assert client is not None
    assert client.ping()


def test_bigquery_finds_its_tables_again(emulators: TestEmulators) -> None:
    client = Clients(emulators.settings("restart")).get(bigquery_client)
    client.create_dataset("kept")
    table = bigquery.Table(f"{client.project}.kept.things", [bigquery.SchemaField("n", "INT64")])
    client.create_table(table)
    assert client.insert_rows_json(table, [{"n": 7}]) == []
    service = emulators.services.services["bigquery"]
    service.stop()
    service.start()
    [row] = client.query("SELECT n FROM kept.things").result()
    assert row.n == 7
