"""Tombstones: who deleted a document, kept beside the deletion because the document can no longer tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from common.identifiers import digest

COLLECTION = "system/tombstones/records"
LIFETIME = timedelta(days=30)
"""Longer than any relay retries (24 hours) and dead letters wait (7 days)."""


def tombstone_path(document: str) -> str:
    """Return the path of the tombstone of a document path."""
    return f"{COLLECTION}/{digest(document)}"


def tombstone(document: str, tenant_id: str, meta: dict[str, str | None], version: datetime) -> dict[str, Any]:
    """Return the fields of a tombstone.

    Args:
        document: Path of the deleted document.
        tenant_id: Whose document it was.
        meta: The deleter's technical map.
        version: Update time of the version that was deleted: a path can be deleted more than once.
    """
    now = datetime.now(UTC)
    return {
        "document": document,
        "tenant_id": tenant_id,
        "_meta": meta,
        "deleted_version": version,
        "deleted_at": now,
        "expires_at": now + LIFETIME,
    }
