"""Changes of a schema on the local cloud: columns come, rows are filled, and documents of every version are read."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud import bigquery

from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context
from common.entity import Entity
from common.model import Model
from common.store import Repository, transact
from common.warehouse.query import rows
from common.warehouse.tables import tenant_relations
from tests.common.warehouse.conftest import context_for
from tests.stack import Stack, TenantHandle
from triggers.deploy.schema import __main__ as command
from triggers.deploy.schema.deployed import deployed


def step_back(client: bigquery.Client, project: str, tenant_id: str, column: str, strict: str) -> None:
    """Give a tenant the tables of keywords as they were before they had a column, and while another was NOT NULL."""
    relations = tenant_relations(project, tenant_id)["keyword"]
    for relation in filter(None, (relations.log, relations.current)):
        client.delete_table(relation.id)
        resource: dict[str, Any] = relation.resource()
        fields = [field for field in resource["schema"]["fields"] if field["name"] != column]
        fields = [field | ({"mode": "REQUIRED"} if field["name"] == strict else {}) for field in fields]
        client.create_table(bigquery.Table.from_api_repr(resource | {"schema": {"fields": fields}}))


@pytest.fixture
def command_of(cloud: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command asks the local cloud's project; whether the declarations are fresh is another test's matter."""
    for name, value in (("GOOGLE_CLOUD_PROJECT", cloud.settings.project), ("XYNERGY_ENVIRONMENT", "local")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(command, "check", lambda: None)


@pytest.mark.usefixtures("command_of")
def test_a_column_comes_and_is_filled(cloud: Stack, tenant: TenantHandle, capsys: pytest.CaptureFixture[str]) -> None:
    """Document 000's four steps on a tenant whose tables are a version behind."""
    row = {"keyword": "shoes", "search_volume": 500, "difficulty_score": 5.0}
    assert tenant.client.post("/v1/aso/keywords", {"rows": [row]}).status_code in {200, 207}
    cloud.settled()
    context = context_for(Clients(cloud.settings), tenant.tenant_id)
    client = context.clients.get(bigquery_client)
    step_back(client, cloud.settings.project, tenant.tenant_id, "search_volume", "difficulty_score")

    assert command.main(["plan", "--tenant", tenant.tenant_id]) == 0
    planned = capsys.readouterr().out
    assert "add keywords.search_volume as NULLABLE" in planned
    assert "drop NOT NULL of keywords.difficulty_score" in planned
    assert command.main(["apply", "--tenant", tenant.tenant_id, "--backfill"]) == 0
    assert "added keywords.search_volume" in capsys.readouterr().out
    assert command.main(["plan", "--tenant", tenant.tenant_id]) == 0
    assert "nothing to do" in capsys.readouterr().out

    def filled() -> bool:
        found = rows(context, "SELECT keyword, search_volume FROM {keywords_latest}", {})
        return found == [{"keyword": "shoes", "search_volume": 500}]

    cloud.wait_for(filled, deadline=90, what="the back-filled row")
    assert command.main(["apply", "--tenant", tenant.tenant_id]) == 0
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.usefixtures("command_of")
def test_a_breaking_difference_is_refused_before_anything_is_done(
    cloud: Stack, tenant: TenantHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tenant's table has a column that is not declared any more: nothing of any tenant is touched."""
    context = context_for(Clients(cloud.settings), tenant.tenant_id)
    client = context.clients.get(bigquery_client)
    relation = tenant_relations(cloud.settings.project, tenant.tenant_id)["keyword"].current
    assert relation is not None
    table = client.get_table(relation.id)
    table.schema = [*table.schema, bigquery.SchemaField("season", "STRING")]
    client.update_table(table, ["schema"])
    before = deployed(context, tenant.tenant_id)
    assert command.main(["apply", "--tenant", tenant.tenant_id]) == 1
    refused = capsys.readouterr().err
    assert refused.startswith("common/aso/entities.py:")
    assert "column keywords.season is gone" in refused
    assert deployed(context, tenant.tenant_id) == before


@pytest.mark.usefixtures("command_of")
def test_a_tenant_that_is_not_there_is_refused(cloud: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["apply", "--tenant", f"t{uuid.uuid4().hex[:8]}", "--backfill"]) == 2
    assert "there is no tenant" in capsys.readouterr().err


class First(Model):
    """A thing, as the first version stored it."""

    thing_id: uuid.UUID
    name: str


class Second(First):
    """The same, a version later: every field that came has a default."""

    colour: str = "red"
    seen_at: datetime | None = None
    size: int | None = None


def declared(model: type[First], version: int) -> Entity[Any]:
    return Entity(
        name="thing",
        domain="tests",
        model=model,
        collection="things_of_versions",
        key="thing_id",
        events={"created": "thing-created"},
        schema_version=version,
    )


def test_documents_of_every_version_are_read_by_every_version(clients: Clients) -> None:
    """While traffic is shifted both versions run: neither may lose what the other wrote."""
    context: Context = context_for(clients, "acme")
    old, new = declared(First, 1), declared(Second, 2)
    thing = First(thing_id=uuid.uuid4(), name="made by the old version")
    transact(context, lambda work: work.create(old, thing))
    found = Repository(new, context).get(str(thing.thing_id)).value
    assert found == Second(thing_id=thing.thing_id, name=thing.name), "what is missing has its default"

    def paint(work: Any) -> None:
        record = work.get(new, str(thing.thing_id))
        work.update(new, record, record.value.model_copy(update={"colour": "blue", "seen_at": datetime.now(UTC)}))

    def rename(work: Any) -> None:
        record = work.get(old, str(thing.thing_id))
        work.update(old, record, record.value.model_copy(update={"name": "renamed by the old version"}))

    transact(context, paint)
    transact(context, rename)
    kept = Repository(new, context).get(str(thing.thing_id)).value
    assert (kept.name, kept.colour) == ("renamed by the old version", "blue")
    assert kept.seen_at is not None
    stored = clients.get(firestore_client).document(f"things_of_versions/{thing.thing_id}").get().to_dict()
    assert stored["schema_version"] == 2, "an old writer does not make a document older"
