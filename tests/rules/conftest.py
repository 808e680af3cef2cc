"""Firestore with our security rules, and people with ID tokens that knock at it."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
import requests

from common.model import rfc3339
from common.settings import Settings
from tests.stack import TestEmulators
from triggers.cloud import RULES

Fields = dict[str, Any]


def unsigned(claims: dict[str, Any]) -> str:
    """Return an ID token as the emulators take them: real claims, no signature."""
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, ""])


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with an ID token (or without), who speaks to Firestore directly.

    Attributes:
        base: Address of the documents.
        headers: With the credential, if there is one.
    """

    base: str
    headers: dict[str, str]

    def read(self, path: str) -> int:
        """Return the status of reading a document."""
        return requests.get(f"{self.base}/{path}", headers=self.headers, timeout=20).status_code

    def query(self, collection: str, tenant: str, parent: str = "") -> int:
        """Return the status of listing a tenant's documents."""
        where = {"field": {"fieldPath": "tenant_id"}, "op": "EQUAL", "value": {"stringValue": tenant}}
        query = {"from": [{"collectionId": collection}], "where": {"fieldFilter": where}}
        address = f"{self.base}{parent}:runQuery"
        return requests.post(address, json={"structuredQuery": query}, headers=self.headers, timeout=20).status_code

    def list(self, collection: str) -> int:
        """Return the status of listing a whole collection."""
        return requests.get(f"{self.base}/{collection}", headers=self.headers, timeout=20).status_code

    def create(self, path: str, fields: Fields) -> int:
        """Return the status of creating a document."""
        return self._commit(path, fields, {"currentDocument": {"exists": False}})

    def update(self, path: str, fields: Fields, *, touch: bool = False) -> int:
        """Return the status of changing fields of a document; ``touch`` sets ``updated_at`` to the server's time."""
        more: dict[str, Any] = {"updateMask": {"fieldPaths": list(fields)}, "currentDocument": {"exists": True}}
        if touch:
            more["updateTransforms"] = [{"fieldPath": "updated_at", "setToServerValue": "REQUEST_TIME"}]
        return self._commit(path, fields, more)

    def delete(self, path: str) -> int:
        """Return the status of deleting a document."""
        return requests.delete(f"{self.base}/{path}", headers=self.headers, timeout=20).status_code

    def _commit(self, path: str, fields: Fields, more: dict[str, Any]) -> int:
        name = f"{self.base.partition('/v1/')[2]}/{path}"
        document = {"name": name, "fields": {key: encoded(value) for key, value in fields.items()}}
        return requests.post(
            f"{self.base}:commit", json={"writes": [{"update": document, **more}]}, headers=self.headers, timeout=20
        ).status_code


def encoded(value: Any) -> dict[str, Any]:
    """Return a value as Firestore's REST interface writes it."""
    match value:
        case None:
            return {"nullValue": None}
        case bool():
            return {"booleanValue": value}
        case int():
            return {"integerValue": str(value)}
        case str():
            return {"stringValue": value}
        case datetime():
            return {"timestampValue": rfc3339(value)}
        case dict():
            return {"mapValue": {"fields": {key: encoded(inner) for key, inner in value.items()}}}
        case _:
            raise TypeError(type(value).__name__)


@dataclass(frozen=True, kw_only=True)
class Database:
    """Firestore under our rules.

    Attributes:
        base: Address of its documents.
        project: Project the tokens are for.
    """

    base: str
    project: str

    @property
    def server(self) -> Person:
        """Return who the functions are: past the rules."""
        return Person(base=self.base, headers={"Authorization": "Bearer owner"})

    @property
    def nobody(self) -> Person:
        """Return a caller without a credential."""
        return Person(base=self.base, headers={})

    def person(self, tenant: str | None, role: str | None = "user", **claims: Any) -> Person:
        """Return somebody with the claims of a tenant and a role, whose document says the same."""
        user_id = f"person-{tenant}-{role}"
        self.store(user_id, tenant, role)
        return self.somebody(user_id, tenant, role, **claims)

    def store(self, user_id: str, tenant: str | None, role: str | None, **fields: Any) -> None:
        """Store the document of somebody as it is to be from now on."""
        document = {"user_id": user_id, "tenant_id": tenant, "role": role, "status": "active", **fields}
        self.server.delete(f"users/{user_id}")
        assert self.server.create(f"users/{user_id}", document) == 200

    def somebody(self, user_id: str, tenant: str | None, role: str | None, **claims: Any) -> Person:
        """Return somebody with an ID token, stored or not."""
        now = int(time.time())
        token = {
            "iss": f"https://securetoken.google.com/{self.project}",
            "aud": self.project,
            "sub": user_id,
            "user_id": user_id,
            "auth_time": now,
            "iat": now,
            "exp": now + 3600,
            **({} if tenant is None else {"tenant_id": tenant}),
            **({} if role is None else {"role": role}),
            **claims,
        }
        return Person(base=self.base, headers={"Authorization": f"Bearer {unsigned(token)}"})


@pytest.fixture(scope="module")
def database(emulators: TestEmulators, settings: Settings) -> Database:
    """Return Firestore with the rules that Terraform releases, and three tenants in it."""
    host = f"http://{emulators.firestore}"
    project = settings.project
    rules = {"rules": {"files": [{"name": "firestore.rules", "content": RULES.read_text(encoding="utf-8")}]}}
    loaded = requests.put(f"{host}/emulator/v1/projects/{project}:securityRules", json=rules, timeout=30)
    assert loaded.status_code == 200, loaded.text
    found = Database(base=f"{host}/v1/projects/{project}/databases/(default)/documents", project=project)
    for tenant, status in (("acme", "active"), ("globex", "active"), ("gone", "suspended")):
        fields = {"tenant_id": tenant, "name": tenant, "status": status}
        assert found.server.create(f"tenants/{tenant}", fields) == 200
    return found
