"""Reading the documents of one entity for one tenant, inside a transaction or outside: the one place of tenancy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from google.cloud import firestore

from common.answers import Record
from common.clients.firestore import firestore_client
from common.context import PLATFORM_TENANT, Context
from common.documents import TENANT_ID, decode, encode_value, stored_name
from common.entity import Entity
from common.errors import NotFound
from common.firestore_calls import bounded, translated
from common.model import Model
from common.transaction import Transaction
from common.uniqueness import is_directory

EntityModel = TypeVar("EntityModel", bound=Model)

Filter = tuple[str, str, object]
"""Field, operator (``==``, ``<``, ``in``, ``array_contains``, ...) and value."""

DOCUMENT_NAME = "__name__"


class Collection(Generic[EntityModel]):
    """The documents of one entity that the context's tenant may see.

    Platform work has no tenant and therefore sees nothing, except in a directory (an entity whose key is the tenant
    id): that one it may read across tenants. To write, platform work names the tenant: ``context.for_tenant(...)``. Of
    an entity that is ``untenanted`` the platform has documents of its own, and sees those.

    Args:
        entity: What is stored.
        context: Whose documents.
        transaction: Where to read; None reads outside a transaction.
    """

    def __init__(self, entity: Entity[EntityModel], context: Context, transaction: Transaction | None = None) -> None:
        self.entity = entity
        self.context = context
        self._transaction = transaction
        self._client = context.clients.get(firestore_client)

    @property
    def across_tenants(self) -> bool:
        """Whether this is platform work on the directory of tenants."""
        return self.context.tenant_id == PLATFORM_TENANT and is_directory(self.entity)

    def path(self, document_id: str) -> str:
        """Return the path of a document.

        Raises:
            ValueError: The context has no tenant.
            NotFound: No document can have this id (it would be another path).
        """
        reserved = document_id in {".", ".."} or (document_id.startswith("__") and document_id.endswith("__"))
        if not document_id or "/" in document_id or reserved or len(document_id.encode()) > 1500:
            raise self.missing(document_id)
        return f"{self._parent()}/{document_id}"

    def _parent(self) -> str:
        tenant_id = self.context.tenant_id
        if tenant_id == PLATFORM_TENANT and not (self.across_tenants or self.entity.untenanted):
            raise ValueError(f"{self.entity.name}: platform work names a tenant first (context.for_tenant)")
        if self.entity.location == "tenant":
            return f"tenants/{tenant_id}/{self.entity.collection}"
        return self.entity.collection

    def reference(self, document_id: str) -> Any:
        """Return the client's reference of a document."""
        return self._client.document(self.path(document_id))

    def snapshots(self, document_ids: Iterable[str]) -> dict[str, Any]:
        """Return the existing documents of this tenant among ``document_ids``, by id."""
        references = [self.reference(document_id) for document_id in dict.fromkeys(document_ids)]
        if not references:
            return {}
        found = {}
        with translated():
            for snapshot in self._client.get_all(references, **self._where(), **bounded(self.context.deadline)):
                if snapshot.exists and self._visible(snapshot):
                    found[snapshot.id] = snapshot
        return found

    def run(self, query: Any) -> list[Any]:
        """Return the documents of a query made by ``query``."""
        with translated():
            return list(query.stream(**self._where(), **bounded(self.context.deadline)))

    def query(self, filters: Sequence[Filter], order: Sequence[str] = ()) -> Any:
        """Return the client's query with the tenant's filter; ``-field`` in ``order`` means descending.

        Raises:
            ValueError: The model has no such field.
        """
        query = self._client.collection(self._parent())
        if self.entity.location == "shared" and not self.across_tenants:
            query = self._filtered(query, TENANT_ID, "==", self.context.tenant_id)
        for field, operator, value in filters:
            query = self._filtered(query, stored_name(self.entity.model, field), operator, encode_value(value))
        for field, descending in self.ordering(order):
            direction = firestore.Query.DESCENDING if descending else firestore.Query.ASCENDING
            query = query.order_by(field, direction=direction)
        return query

    def ordering(self, order: Sequence[str]) -> list[tuple[str, bool]]:
        """Return stored field names with whether they descend; the document name breaks ties."""
        names = [DOCUMENT_NAME if name == DOCUMENT_NAME else self._stored(name) for name in order]
        fields = [(name.removeprefix("-"), name.startswith("-")) for name in names]
        if fields and fields[-1][0] != DOCUMENT_NAME:
            fields.append((DOCUMENT_NAME, fields[-1][1]))
        return fields

    def _stored(self, name: str) -> str:
        return name[: name.startswith("-")] + stored_name(self.entity.model, name.removeprefix("-"))

    def count(self, filters: Sequence[Filter]) -> int:
        """Return how many documents match; costs one index read a thousand documents."""
        aggregation = self.query(filters).count()
        with translated():
            return int(aggregation.get(**bounded(self.context.deadline))[0][0].value)

    def record(self, snapshot: Any) -> Record[EntityModel]:
        """Return a stored document as a record."""
        return Record(value=decode(self.entity.model, snapshot.to_dict()), update_time=snapshot.update_time)

    def missing(self, document_id: str) -> NotFound:
        """Return the refusal for a document that is not there, or not this tenant's."""
        name = self.entity.name
        return NotFound(f"{name}_not_found", f"There is no {name.replace('_', ' ')} {document_id[:64]!r}.")

    def _where(self) -> dict[str, Any]:
        return {} if self._transaction is None else {"transaction": self._transaction.handle}

    def _visible(self, snapshot: Any) -> bool:
        return self.across_tenants or snapshot.get(TENANT_ID) == self.context.tenant_id

    @staticmethod
    def _filtered(query: Any, field: str, operator: str, value: object) -> Any:
        return query.where(filter=firestore.FieldFilter(field, operator, value))
