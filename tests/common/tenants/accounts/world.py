"""What tests of linked accounts need below the functions: a tenant with people, and links made as they are made."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context, Deadline, Principal
from common.tenants.accounts import linking
from common.tenants.accounts.models import Account, AccountCallbackQuery, AccountLink
from tests.common.security import store_person
from tests.oauth import OAuthServer, Person


def newcomer(clients: Clients, tenant_id: str | None = None) -> Context:
    """Return the circumstances of a person of a tenant; a new one unless it is named."""
    tenant_id = tenant_id or f"t{uuid.uuid4().hex[:12]}"
    document = {"tenant_id": tenant_id, "status": "active", "tier": "enterprise"}
    clients.get(firestore_client).document(f"tenants/{tenant_id}").set(document)
    user_id = store_person(clients, tenant_id, f"u{uuid.uuid4().hex[:16]}")
    return Context(
        function="test",
        tenant_id=tenant_id,
        principal=Principal(kind="user", id=user_id, tenant_id=tenant_id, role="manager"),
        clients=clients,
        deadline=Deadline.after(600),
    )


def elsewhere(context: Context) -> Context:
    """Return the same circumstances in another process of the deployment."""
    return replace(context, clients=Clients(context.clients.settings), deadline=Deadline.after(600))


def coming_back(context: Context) -> Context:
    """Return the circumstances of a browser that a provider sends back: nobody's."""
    anonymous = Principal(kind="anonymous", id="anonymous")
    return Context(
        function="tenants-account-callback",
        tenant_id=anonymous.tenant_id,
        principal=anonymous,
        clients=context.clients,
        deadline=Deadline.after(600),
    )


def query_of(location: str) -> AccountCallbackQuery:
    """Return what an address that the provider sends a browser to tells the callback."""
    given = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    return AccountCallbackQuery.model_validate(given)


def visited(context: Context, server: OAuthServer, person: Person, **body: Any) -> AccountCallbackQuery:
    """Begin a link and let the person decide at the provider."""
    started = linking.start(context, AccountLink(**{"provider": "google", **body})).content
    return query_of(server.visit(started.authorization_url, person))


def link(context: Context, server: OAuthServer, person: Person, **body: Any) -> Account:
    """Link a person's account."""
    return linking.finish(coming_back(context), visited(context, server, person, **body)).content
