"""A tenant with a provisioned data set, and documents put straight into the warehouse's current tables."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud import bigquery

from common.aso.keywords import new_keyword
from common.aso.models import Keyword, Opportunity
from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context, Deadline, Principal
from common.model import Model
from common.registry import entities
from common.technical import MARKS
from common.warehouse.provision import provision_tenant
from common.warehouse.tables import declared_columns, relations

NUMBERS = itertools.count(1)


def context_for(clients: Clients, tenant_id: str, seconds: float = 120) -> Context:
    """Return the circumstances of some work for a tenant."""
    return Context(
        function="aso-opportunity-scan-now",
        tenant_id=tenant_id,
        principal=Principal(kind="key", id="test", tenant_id=tenant_id, role="admin"),
        clients=clients,
        deadline=Deadline.after(seconds),
    )


def keyword(context: Context, text: str, **fields: Any) -> Keyword:
    """Return a keyword of the tenant, as the model has it."""
    return new_keyword(context.tenant_id, text, datetime.now(UTC)).model_copy(update=fields)


@dataclass
class Warehouse:
    """The current tables of one tenant, written as the merge leaves them."""

    context: Context

    def put(self, entity: str, values: Iterable[Model]) -> None:
        """Load rows; keys already there get a second row, so put each key once."""
        found = relations(self.context.clients.settings.project, self.context.tenant_id, entities()[entity])
        assert found.current is not None
        lines = [json.dumps(self._row(found.table, value)) for value in values]
        if not lines:
            return
        config = bigquery.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON")
        client = self.context.clients.get(bigquery_client)
        client.load_table_from_file(io.BytesIO("\n".join(lines).encode()), found.current.id, job_config=config).result()

    def clear(self, entity: str) -> None:
        """Remove every row."""
        found = relations(self.context.clients.settings.project, self.context.tenant_id, entities()[entity])
        assert found.current is not None
        self.context.clients.get(bigquery_client).query_and_wait(f"DELETE FROM {found.current.sql} WHERE TRUE")

    @staticmethod
    def _row(table: Any, value: Model) -> dict[str, Any]:
        fields = value.model_dump(mode="json")
        row: dict[str, Any] = {}
        for column in declared_columns(table):
            item = fields.get(column.name)
            row[column.name] = json.dumps(item) if column.type == "JSON" and item is not None else item
        return row | {"schema_version": 1, "change_sequence": next(NUMBERS)}

    def keywords(self, *values: Keyword) -> None:
        """Replace the keywords."""
        self.clear("keyword")
        self.put("keyword", values)

    def opportunities(self, *values: Opportunity) -> None:
        """Replace the opportunities."""
        self.clear("opportunity")
        self.put("opportunity", values)


@pytest.fixture(scope="module")
def _provisioned(clients: Clients) -> str:
    """The tenant of a module: provisioning a data set takes longer than most tests."""
    context = context_for(clients, f"scan_{next(NUMBERS)}")
    provision_tenant(context, context.tenant_id)
    return context.tenant_id


@pytest.fixture
def tenant(clients: Clients, _provisioned: str) -> Context:
    """A tenant without documents and rows."""
    context = context_for(clients, _provisioned)
    client = clients.get(firestore_client)
    for collection in ("keywords", "opportunities", MARKS.path):
        for document in client.collection(collection).list_documents():
            document.delete()
    for entity in ("keyword", "opportunity"):
        Warehouse(context).clear(entity)
    return context


@pytest.fixture
def warehouse(tenant: Context) -> Warehouse:
    """The tenant's tables."""
    return Warehouse(tenant)


KeywordMaker = Callable[..., Keyword]


@pytest.fixture
def fruit(tenant: Context) -> KeywordMaker:
    """Makes keywords that are low-hanging fruit unless told otherwise."""
    defaults = {
        "search_volume": 2400,
        "difficulty_score": 20.0,
        "current_ranking": 14,
        "average_position": 14.0,
        "last_checked": datetime.now(UTC),
    }
    return lambda text, **fields: keyword(tenant, text, **(defaults | fields))
