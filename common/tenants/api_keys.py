"""The API keys of a tenant: made, listed and revoked by platform operators."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from google.cloud.firestore_v1.base_query import FieldFilter

from common.answers import Answer, Page
from common.api_keys import (
    COLLECTION,
    PREFIX_LENGTH,
    StoredKey,
    credentials_cache,
    generate_key,
    key_digest,
    key_path,
)
from common.auth import ROLE_SCOPES, allows
from common.clients.firestore import firestore_client
from common.context import Context
from common.errors import FieldError, NotFound, Unprocessable
from common.firestore_calls import bounded, translated
from common.identifiers import uuid7
from common.store import Repository, Work, transact
from common.tenants.entities import TENANTS
from common.tenants.models import ApiKey, ApiKeyCreate, ApiKeyCreated


def create(context: Context, tenant_id: str, body: ApiKeyCreate) -> Answer[ApiKeyCreated]:
    """Create a key and return it, this one time.

    The answer is marked as secret: only the fact is stored under the request's ``Idempotency-Key``, because a stored
    answer would be the key in plain text, readable for a day by everybody who may read the database. Whoever repeats
    the request gets 409 ``idempotency_answer_not_stored`` with the key's ``Location``, and if the first answer was
    lost on its way, revokes that key and asks for another one.

    Raises:
        NotFound: ``tenant_not_found``.
        Unprocessable: ``scope_exceeds_role`` or ``expiry_past``.
    """
    scopes = _granted(body)
    now = datetime.now(UTC)
    if body.expires_at is not None and body.expires_at <= now:
        raise _invalid("/expires_at", "expiry_past", "The key would have expired already")
    key = generate_key()
    stored = StoredKey(
        key_id=str(uuid7()),
        tenant_id=tenant_id,
        name=body.name,
        scopes=tuple(scopes),
        role=body.role,
        prefix=key[:PREFIX_LENGTH],
        created_by=context.principal.id,
        created_at=now,
        expires_at=body.expires_at,
    )
    answer = Answer(
        content=ApiKeyCreated(**ApiKey.shown(stored).model_dump(), key=key),
        status=201,
        headers={"Location": f"/v1/tenants/{tenant_id}/api-keys/{stored.key_id}"},
        secret=True,
    )
    path = key_path(key_digest(key))
    reference = context.clients.get(firestore_client).document(path)
    document = {**stored.model_dump(), "scopes": list(scopes)}

    def work(work: Work) -> Answer[ApiKeyCreated]:
        work.get(TENANTS, tenant_id)
        work.write(path, lambda batch: batch.create(reference, document))
        return answer

    return transact(context.for_tenant(tenant_id), work)


def listed(context: Context, tenant_id: str) -> Page[ApiKey]:
    """Return all keys of a tenant, newest first, the revoked ones included.

    Raises:
        NotFound: ``tenant_not_found``.
    """
    Repository(TENANTS, context).get(tenant_id)
    query = _keys_of(context, tenant_id)
    with translated():
        stored = [
            StoredKey.model_validate(snapshot.to_dict()) for snapshot in query.stream(**bounded(context.deadline))
        ]
    return Page(items=[ApiKey.shown(key) for key in sorted(stored, key=lambda key: key.key_id, reverse=True)])


def revoke(context: Context, tenant_id: str, key_id: str) -> None:
    """Revoke a key; a key that is revoked already stays as it is.

    It is refused at once by this process and within a minute by all others.

    Raises:
        NotFound: ``tenant_not_found`` or ``api_key_not_found``.
    """
    query = _keys_of(context, tenant_id).where(filter=FieldFilter("key_id", "==", key_id)).limit(1)

    def work(work: Work) -> str:
        work.get(TENANTS, tenant_id)
        with translated():
            found = list(query.stream(transaction=work.transaction.handle, **bounded(context.deadline)))
        if not found:
            raise NotFound("api_key_not_found", "The tenant has no such API key")
        snapshot = found[0]
        if snapshot.get("revoked_at") is None:
            revoked = {"revoked_at": datetime.now(UTC)}
            work.write(snapshot.reference.path, lambda batch: batch.update(snapshot.reference, revoked))
        return str(snapshot.id)

    digest = transact(context.for_tenant(tenant_id), work)
    context.clients.get(credentials_cache).keys.forget(digest)


def _granted(body: ApiKeyCreate) -> list[str]:
    """Return the scopes of the new key; a key can do no more than its role."""
    of_role = ROLE_SCOPES[body.role]
    if body.scopes is None:
        return sorted(of_role)
    for position, scope in enumerate(body.scopes):
        if not allows(of_role, scope):
            raise _invalid(f"/scopes/{position}", "scope_exceeds_role", f"The role {body.role} does not cover {scope}")
    return body.scopes


def _keys_of(context: Context, tenant_id: str) -> Any:
    keys = context.clients.get(firestore_client).collection(COLLECTION)
    return keys.where(filter=FieldFilter("tenant_id", "==", tenant_id))


def _invalid(pointer: str, code: str, message: str) -> Unprocessable:
    return Unprocessable(code, message, errors=[FieldError(pointer=pointer, code=code, message=message)])
