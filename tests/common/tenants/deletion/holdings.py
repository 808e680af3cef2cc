"""Tenants with something in every place there is, made from the declarations, and what is left of them."""

from __future__ import annotations

import json
import uuid
from typing import Any

from google.cloud import bigquery, firestore

from common import dead_letters, objects
from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.context import Context, Deadline, Principal
from common.crypto import keys
from common.registry import entities
from common.technical import COLLECTIONS, DATA_KEYS
from common.tenants import setup, tenants
from common.tenants.models import TenantCreate

SECRET = "of nobody else"


def operator(clients: Clients, seconds: float = 600) -> Context:
    """Return the context of an operator with time for long runs."""
    principal = Principal(kind="operator", id="operator-1", role="operator", scopes=frozenset({"*"}))
    return Context(
        function="tests", tenant_id="_platform", principal=principal, clients=clients, deadline=Deadline.after(seconds)
    )


def make_buckets(clients: Clients) -> None:
    """Make the buckets that hold tenants' files."""
    client = clients.get(storage_client)
    for name in (clients.settings.content_bucket, clients.settings.report_bucket, clients.settings.audit_bucket):
        if not client.bucket(name).exists():
            client.create_bucket(name)


def settle(clients: Clients, tenant_id: str, documents: int = 1) -> Context:
    """Make an active tenant with documents of every entity, in every technical collection, table and bucket."""
    context = operator(clients)
    tenants.create(context, TenantCreate(tenant_id=tenant_id, name=f"Tenant {tenant_id}"))
    setup.run(context, tenant_id)
    own = context.for_tenant(tenant_id)
    client: firestore.Client = clients.get(firestore_client)
    paths = [
        f"{f'tenants/{tenant_id}/' if entity.location == 'tenant' else ''}{entity.collection}"
        for entity in entities().values()
        if entity.name != "tenant"
    ]
    paths += [collection.path for collection in COLLECTIONS if collection is not DATA_KEYS]
    # What nobody declared: at the top, below the tenant, and below what is not there itself.
    paths += ["legacy", f"tenants/{tenant_id}/forgotten", f"tenants/{tenant_id}/forgotten/missing/below"]
    batch = client.batch()
    for path in paths:
        for _ in range(documents):
            fields = {"tenant_id": tenant_id, "text": SECRET, "status": "x"}
            batch.set(client.document(f"{path}/{uuid.uuid4()}"), fields)
    batch.commit()
    make_buckets(clients)
    for bucket in (clients.settings.content_bucket, clients.settings.report_bucket):
        objects.write(own, bucket, "folder/deep/file.csv", SECRET.encode(), "text/csv")
    cache = _redis(clients)
    for key in (f"generation:x:{tenant_id}", f"x:{tenant_id}:abc", f"limits/rate/{tenant_id}/key/standard/60"):
        cache.set(key, SECRET)
    table = f"{clients.settings.project}.aso_tenant_{tenant_id}.keywords"
    assert clients.get(bigquery_client).insert_rows_json(table, [{"keyword_id": SECRET, "keyword": SECRET}]) == []
    return own


def state_of(clients: Clients, tenant_id: str) -> dict[str, str]:
    """Return everything there is with a tenant's id in it or in its name, as text by place."""
    client: firestore.Client = clients.get(firestore_client)
    found: dict[str, str] = {}
    collections = [each for each in client.collections() if each.id != "system"]
    collections += [each for kind in client.collection("system").list_documents() for each in kind.collections()]
    collections += client.document(f"tenants/{tenant_id}").collections()
    collections += client.document(f"tenants/{tenant_id}/forgotten/missing").collections()
    for snapshot in (each for collection in collections for each in collection.stream()):
        text = json.dumps(snapshot.to_dict(), default=str, sort_keys=True)
        if _names(tenant_id, f"{snapshot.reference.path} {text}"):
            found[snapshot.reference.path] = f"{snapshot.update_time} {text}"
    store = clients.get(storage_client)
    for bucket in (clients.settings.content_bucket, clients.settings.report_bucket):
        found |= {
            f"{bucket}/{blob.name}": str(blob.updated) for blob in store.list_blobs(bucket, prefix=f"{tenant_id}/")
        }
    cache = _redis(clients)
    named = [key for key in cache.scan_iter() if _names(tenant_id, key.decode())]
    found |= {f"redis {key!r}": repr(cache.get(key)) for key in named}
    return found | _rows(clients.get(bigquery_client), tenant_id)


def _redis(clients: Clients) -> Any:
    return clients.get(redis_client)


def _rows(client: bigquery.Client, tenant_id: str) -> dict[str, str]:
    found = {}
    for dataset in client.list_datasets():
        if not dataset.dataset_id.endswith(f"_{tenant_id}"):
            continue
        found[dataset.dataset_id] = "data set"
        for table in client.list_tables(dataset.reference):
            name = f"{client.project}.{dataset.dataset_id}.{table.table_id}"
            rows = client.query(f"SELECT COUNT(*) AS n FROM `{name}`").result() if table.table_type == "TABLE" else []
            found[name] = str([dict(row.items()) for row in rows])
    return found


def _names(tenant_id: str, text: str) -> bool:
    words = "".join(character if character.isalnum() or character == "_" else " " for character in text).split()
    return tenant_id in words


def has_key(own: Context) -> bool:
    """Tell whether the tenant's data key can be used."""
    try:
        keys.ensure(own, own.tenant_id)
    except Exception:  # noqa: BLE001 - whatever says no
        return False
    return True


def set_aside(own: Context, text: str) -> None:
    """Keep a dead letter of the tenant whose bytes are too many for its document."""
    from common.deliveries import MessageDelivery

    delivery = MessageDelivery(
        data=text.encode() * 100_000, attributes={"tenant_id": own.tenant_id}, message_id=uuid.uuid4().hex
    )
    dead_letters.set_aside(own, delivery, "poison", "of a test")


def fields_of(clients: Clients, tenant_id: str) -> dict[str, Any]:
    """Return the document of a tenant."""
    return dict(clients.get(firestore_client).document(f"tenants/{tenant_id}").get().to_dict() or {})
