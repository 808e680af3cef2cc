"""Technical documents: what the platform itself remembers, below ``system/<kind>/<collection>``, where no relay looks.

They are no entities: no events, no tables, no tenant's business. This module declares the collections, so that TTL
policies and composite indexes are made for them as for entities, and reads and writes them within deadlines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from google.cloud import firestore

from common.clients.firestore import firestore_client
from common.context import Context
from common.entity import Index
from common.firestore_calls import Contended, bounded, pause, translated
from common.transaction import Transaction, Write

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class TechnicalCollection:
    """One collection of technical documents.

    Attributes:
        path: Path of the collection.
        ttl: Field with the time after which Firestore deletes a document.
        indexes: Composite indexes that queries need.
        unindexed: Fields exempt from single-field indexes.
    """

    path: str
    ttl: str | None = None
    indexes: tuple[Index, ...] = ()
    unindexed: tuple[str, ...] = ()


IDEMPOTENCY = TechnicalCollection(
    path="system/idempotency/records", ttl="expires_at", unindexed=("body", "headers", "fingerprint", "nonce")
)
UNIQUENESS = TechnicalCollection(path="system/uniqueness/keys")
TOMBSTONES = TechnicalCollection(path="system/tombstones/records", ttl="expires_at", unindexed=("_meta",))
API_KEYS = TechnicalCollection(path="system/credentials/api_keys")
KEY_USE = TechnicalCollection(path="system/credentials/key_use", unindexed=("last_used",))
MARKS = TechnicalCollection(path="system/warehouse/marks", indexes=(Index(fields=("purpose", "wake_at")),))
IMPORTED_FILES = TechnicalCollection(path="system/imports/files", ttl="expires_at")
SEARCH_CONSOLE_CALLS = TechnicalCollection(path="system/search_console/calls", ttl="expires_at")
IMPORT_CHANGES = TechnicalCollection(
    path="system/imports/changes",
    ttl="expires_at",
    indexes=(Index(fields=("tenant_id", "import_id", "-entry_id")),),
    unindexed=("changes", "undone"),
)
IMPORT_REMAINS = TechnicalCollection(path="system/imports/remains", ttl="expires_at", unindexed=("remains",))
DEAD_LETTERS = TechnicalCollection(
    path="system/dead_letters/messages",
    ttl="expires_at",
    indexes=(
        Index(fields=("function", "-last_at")),
        Index(fields=("status", "-last_at")),
        Index(fields=("function", "status", "-last_at")),
    ),
    unindexed=("data", "attributes", "headers", "reason"),
)
RANK_PLANS = TechnicalCollection(path="system/ranks/plans", unindexed=("tiers",))
RANK_BUDGETS = TechnicalCollection(path="system/ranks/budgets", ttl="expires_at", unindexed=("days", "reservations"))
RANK_CLAIMS = TechnicalCollection(path="system/ranks/claims", ttl="expires_at")
RANK_NOISE = TechnicalCollection(path="system/ranks/noise", ttl="expires_at", unindexed=("looks", "alerted"))
INVITE_TOKENS = TechnicalCollection(path="system/credentials/invites", ttl="expires_at")
DATA_KEYS = TechnicalCollection(path="system/crypto/data_keys", unindexed=("keys", "pepper"))
OAUTH_STATES = TechnicalCollection(
    path="system/oauth/states", ttl="expires_at", unindexed=("verifier", "nonce", "scopes", "redirect")
)
OAUTH_LEASES = TechnicalCollection(path="system/oauth/leases", ttl="expires_at")
PRIVACY_CASES = TechnicalCollection(path="system/privacy/cases", ttl="expires_at", unindexed=("subject", "identifiers"))
ERASURES = TechnicalCollection(path="system/privacy/erasures", ttl="expires_at")
ERASED_PEOPLE = TechnicalCollection(path="system/privacy/erased_people")
AUDIT_UNSEALED = TechnicalCollection(
    path="system/audit/unsealed", indexes=(Index(fields=("tenant_id", "at")),), unindexed=("entry_id",)
)
AUDIT_CHAINS = TechnicalCollection(path="system/audit/chains", unindexed=("head", "verification"))
AUDIT_BLOCKS = TechnicalCollection(
    path="system/audit/blocks",
    indexes=(Index(fields=("tenant_id", "number")), Index(fields=("tenant_id", "copied", "number"))),
    unindexed=("entries", "head", "previous"),
)
HELD_TASKS = TechnicalCollection(
    path="system/tenants/held_tasks",
    indexes=(Index(fields=("tenant_id", "held_at")),),
    unindexed=("content", "headers", "function"),
)
COLLECTIONS = (
    *(AUDIT_UNSEALED, AUDIT_CHAINS, AUDIT_BLOCKS),
    *(IDEMPOTENCY, UNIQUENESS, TOMBSTONES, API_KEYS, KEY_USE, MARKS, IMPORTED_FILES, DEAD_LETTERS),
    *(IMPORT_CHANGES, IMPORT_REMAINS),
    *(RANK_PLANS, RANK_BUDGETS, RANK_CLAIMS, RANK_NOISE),
    SEARCH_CONSOLE_CALLS,
    *(DATA_KEYS, OAUTH_STATES, OAUTH_LEASES),
    INVITE_TOKENS,
    *(PRIVACY_CASES, ERASURES, ERASED_PEOPLE),
    HELD_TASKS,
)


def read(context: Context, path: str) -> tuple[dict[str, Any], datetime] | None:
    """Return the fields and the update time of a document, or None."""
    with translated():
        snapshot = context.clients.get(firestore_client).document(path).get(**bounded(context.deadline))
    return (snapshot.to_dict(), snapshot.update_time) if snapshot.exists else None


def read_many(context: Context, paths: Iterable[str], transaction: Transaction) -> dict[str, dict[str, Any]]:
    """Return the fields of those documents that exist, by path, read in a transaction."""
    client = context.clients.get(firestore_client)
    references = [client.document(path) for path in dict.fromkeys(paths)]
    if not references:
        return {}
    with translated():
        found = list(client.get_all(references, transaction=transaction.handle, **bounded(context.deadline)))
    return {snapshot.reference.path: snapshot.to_dict() for snapshot in found if snapshot.exists}


def changed(
    context: Context,
    path: str,
    change: Callable[[dict[str, Any] | None], tuple[dict[str, Any] | None, Result]],
) -> Result:
    """Change one document in a transaction.

    Args:
        context: Circumstances.
        path: The document.
        change: Gets the fields (None where there is no document) and returns the new fields and the result; fields of
            None write nothing. May be called more than once.
    """
    client = context.clients.get(firestore_client)
    reference = client.document(path)
    attempt = 0
    while True:
        attempt += 1
        transaction = Transaction(client, context.deadline)
        try:
            with translated():
                [snapshot] = client.get_all([reference], transaction=transaction.handle, **bounded(context.deadline))
                fields, result = change(snapshot.to_dict() if snapshot.exists else None)
                if fields is None:
                    return result
                transaction.commit([_setting(reference, fields)])
                return result
        except Contended:
            pause(attempt, context.deadline)
        finally:
            transaction.close()


def _setting(reference: Any, fields: dict[str, Any]) -> Write:
    return lambda batch: batch.set(reference, fields)


def selected(context: Context, query: firestore.Query) -> list[Any]:
    """Return the snapshots of a query."""
    with translated():
        return list(query.stream(**bounded(context.deadline)))
