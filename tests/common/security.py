"""What tests of credentials, limits and caches share: a clock, contexts, stored keys, and outages."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NoReturn

import redis
from google.api_core.exceptions import ServiceUnavailable
from google.cloud import firestore
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.api_keys import StoredKey, TenantRole, generate_key, key_digest, key_path
from common.clients.firestore import firestore_client
from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.context import Context, Principal
from common.documents import encode
from common.tenants.people.models import User


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def key_principal(tenant_id: str, key_id: str = "key-1", role: TenantRole = "user") -> Principal:
    """Return the principal of an API key."""
    return Principal(kind="key", id=key_id, tenant_id=tenant_id, role=role, scopes=frozenset({"aso:write"}))


def context_of(clients: Clients, tenant_id: str = "acme", principal: Principal | None = None) -> Context:
    """Return a context of a tenant."""
    return Context(
        function="tests",
        tenant_id=tenant_id,
        principal=principal or key_principal(tenant_id),
        clients=clients,
    )


def operator_context(clients: Clients) -> Context:
    """Return a context of an operator."""
    principal = Principal(kind="operator", id="operator-1", role="operator", scopes=frozenset({"*"}))
    return Context(function="tests", tenant_id=principal.tenant_id, principal=principal, clients=clients)


def store_tenant(clients: Clients, tenant_id: str, status: str = "active") -> None:
    """Write the part of a tenant's document that credentials depend on."""
    clients.get(firestore_client).document(f"tenants/{tenant_id}").set({"tenant_id": tenant_id, "status": status})


def store_key(clients: Clients, tenant_id: str = "acme", **changes: Any) -> str:
    """Store an API key and return it."""
    key = generate_key()
    stored = StoredKey(
        **{
            "key_id": "key-1",
            "tenant_id": tenant_id,
            "name": "tests",
            "scopes": ("aso:write",),
            "role": "user",
            "prefix": key[:8],
            "created_by": "operator-1",
            "created_at": datetime.now(UTC),
            **changes,
        }
    )
    document = {**stored.model_dump(), "scopes": list(stored.scopes)}
    clients.get(firestore_client).document(key_path(key_digest(key))).set(document)
    return key


def store_person(clients: Clients, tenant_id: str = "acme", user_id: str = "person-1", **changes: Any) -> str:
    """Store a working person of a tenant, without the traces of who joined how, and return the id."""
    now = datetime.now(UTC)
    person = {
        "user_id": user_id,
        "email": f"{user_id}@people.example",
        "email_verified": True,
        "role": "manager",
        "created_at": now,
        "updated_at": now,
        **changes,
    }
    document = {**encode(User.model_validate(person)), "tenant_id": tenant_id, "schema_version": 1}
    clients.get(firestore_client).document(f"users/{user_id}").set(document)
    return user_id


class _Down:
    """A generated client none of whose calls gets an answer."""

    def __getattr__(self, name: str) -> Any:
        def unavailable(*arguments: Any, **named: Any) -> NoReturn:
            raise ServiceUnavailable("nobody listens")

        return unavailable


def without_firestore(clients: Clients) -> None:
    """Let Firestore be down for these clients from now on."""
    client: firestore.Client = firestore_client(clients.settings)
    client._firestore_api_internal = _Down()
    clients.replace(firestore_client, client)


def without_redis(clients: Clients) -> None:
    """Let Redis be down for these clients from now on: nobody listens on its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client: redis.Redis | None = redis.Redis(
        host="127.0.0.1", port=port, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 0)
    )
    clients.replace(redis_client, client)


@contextmanager
def commands_of(clients: Clients) -> Iterator[list[str]]:
    """Collect the names of the commands that the Redis database of these clients gets, as the server sees them."""
    watcher = redis_client(clients.settings)
    assert watcher is not None
    database = watcher.connection_pool.connection_kwargs["db"]
    commands: list[str] = []
    with watcher.monitor() as monitor:  # type: ignore[no-untyped-call]
        yield commands
        watcher.echo("the end")
        for event in monitor.listen():
            if event["command"] == "ECHO the end":
                break
            name = event["command"].split()[0]
            if event["db"] == database and event["client_type"] != "lua" and name not in {"SELECT", "CLIENT", "HELLO"}:
                commands.append(name)
    watcher.close()
