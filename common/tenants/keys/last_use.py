"""When keys were used last: written down from what processes have noted in Redis, and read for those who look at keys.

It is no part of the entity: a use is no change that anybody follows, and would be one event and one audit entry each.
The moments are kept as seconds under Firestore's ``maximum``, so the newest one stays, in whatever order and however
often they are written.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from google.cloud import firestore

from common import key_use, logs
from common.clients.firestore import firestore_client
from common.context import Context
from common.firestore_calls import bounded, translated
from common.redis_access import RedisDown
from common.technical import KEY_USE

AT_ONCE = 400
"""Keys written in one batch; Firestore takes 500 writes, and a transformation may count as one of its own."""
LEFT = 30.0
"""Seconds of the deadline with which another batch is begun."""


def flush(context: Context) -> int:
    """Write down the noted uses, and return how many; what is left when time is up waits for the next run."""
    written = 0
    while context.deadline.remaining > LEFT:
        try:
            uses = key_use.pending(context.clients, AT_ONCE)
            if not uses:
                break
            _write(context, uses)
            key_use.take(context.clients, uses)
        except RedisDown as reason:
            logs.logger(context).warning("uses of API keys cannot be read", reason=str(reason))
            break
        written += len(uses)
    return written


def of(context: Context, key_ids: Iterable[str]) -> dict[str, datetime]:
    """Return when keys of the context's tenant were used last; those of which no use is known are left out."""
    client = context.clients.get(firestore_client)
    references = [client.document(f"{KEY_USE.path}/{key_id}") for key_id in key_ids]
    if not references:
        return {}
    with translated():
        found = list(client.get_all(references, **bounded(context.deadline)))
    return {
        snapshot.id: datetime.fromtimestamp(snapshot.get("last_used"), UTC)
        for snapshot in found
        if snapshot.exists and snapshot.get("tenant_id") == context.tenant_id
    }


def _write(context: Context, uses: dict[tuple[str, str], int]) -> None:
    client = context.clients.get(firestore_client)
    batch = client.batch()
    for (tenant_id, key_id), second in uses.items():
        fields = {"tenant_id": tenant_id, "key_id": key_id, "last_used": firestore.Maximum(second)}
        batch.set(client.document(f"{KEY_USE.path}/{key_id}"), fields, merge=True)
    with translated():
        batch.commit(**bounded(context.deadline))
