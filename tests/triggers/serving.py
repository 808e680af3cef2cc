"""Serving the functions of ``functions_fixture`` through the framework, exactly as deployed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import functions_framework
from werkzeug.test import Client, TestResponse

from common.api_keys import COLLECTION, StoredKey, generate_key, key_digest
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.service_identity import mint_local_token
from common.settings import Settings

FIXTURES = Path(__file__).parent / "functions_fixture" / "functions" / "demo"


@dataclass
class Function:
    """One served function.

    Attributes:
        name: Its name, such as ``demo-note-create``.
        client: Sends requests to its app.
        module: The module it was loaded from.
        settings: Settings of the process.
    """

    name: str
    client: Client
    module: Any
    settings: Settings

    def deliver(
        self, content: bytes | str, headers: Mapping[str, str] | None = None, *, identity: str | None = None
    ) -> TestResponse:
        """POST a delivery as the function's invoker, or as another identity."""
        url = self.settings.function_url.replace("{function}", self.name)
        email = identity or self.settings.invoker.replace("{function}", self.name)
        bearer = f"Bearer {mint_local_token(email, url)}"
        return self.client.post("/", data=content, headers={"Authorization": bearer, **(headers or {})})

    def deliver_json(self, content: Any, headers: Mapping[str, str] | None = None) -> TestResponse:
        """POST a delivery in JSON as the function's invoker."""
        return self.deliver(json.dumps(content), {"Content-Type": "application/json", **(headers or {})})


def load(operation: str, settings: Settings) -> Function:
    """Serve a fixture by the framework's own entry point."""
    app = functions_framework.create_app(operation, str(FIXTURES / f"{operation}.py"))
    return Function(f"demo-{operation.replace('_', '-')}", app.test_client(), sys.modules[operation], settings)


def tenant_key(clients: Clients, tenant_id: str, scopes: tuple[str, ...], role: str = "admin") -> dict[str, str]:
    """Store a tenant and a key of it; return the headers that present the key."""
    key = generate_key()
    stored = StoredKey.model_validate(
        {
            "key_id": f"key-of-{tenant_id}-{key[-6:]}",
            "tenant_id": tenant_id,
            "name": "test",
            "scopes": scopes,
            "role": role,
            "prefix": key[:8],
            "created_by": "test",
            "created_at": datetime.now(UTC),
        }
    )
    firestore = clients.get(firestore_client)
    firestore.document(f"tenants/{tenant_id}").set({"tenant_id": tenant_id, "status": "active"})
    firestore.document(f"{COLLECTION}/{key_digest(key)}").set({**stored.model_dump(), "scopes": list(scopes)})
    return {"Authorization": f"Bearer {key}"}
