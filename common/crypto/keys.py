"""Every tenant's own data keys: made once, wrapped by the key-encryption key, remembered shortly, rotated, destroyed.

One technical document per tenant holds the wrapped keys: the versions of the data key (AES-256), of which one is
current and the others only open what they sealed, and the pepper of keyed digests, which is never rotated.

How long a destroyed key may live: ``destroy`` removes the wrapped keys, and a process that had unwrapped them uses them
for five minutes at most (``MEMORY``). The bytes are let go at the next use of any key, or with the instance; Python
cannot overwrite them. Backups and point-in-time recovery of the database keep wrapped keys for as long as they reach
back (seven days, and the backups' own retention); to whoever cannot use the key-encryption key these are noise.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from common import technical
from common.context import PLATFORM_TENANT, Context
from common.crypto.wrapping import KeyEncryption, Wrapped, key_encryption
from common.errors import SealBroken
from common.recent import Recent
from common.settings import Settings

MEMORY = 300.0
"""Seconds for which a process uses an unwrapped key before it asks whether the key still exists."""

REREAD = 240.0
"""Seconds after which a process asks; a database that is down then is waited out until ``MEMORY`` is over."""

PEPPER = "pepper"
KEY_SIZE = 32


@dataclass(slots=True)
class Ring:
    """A tenant's keys as one process knows them; each is unwrapped when it is needed first.

    Attributes:
        tenant_id: Whose keys.
        current: Version that seals.
        wrapped: Wrapped keys by version, and the pepper under ``PEPPER``.
        destroyed: Whether the keys are gone for good.
    """

    tenant_id: str
    current: str
    wrapped: Mapping[str, Wrapped] = field(repr=False)
    destroyed: bool = False
    _opened: dict[str, bytes] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def key(self, context: Context, version: str) -> bytes:
        """Return a key in the clear.

        Raises:
            SealBroken: ``wrapped_key_not_authentic``.
            Unavailable: The key-encryption key cannot be used at the moment.
        """
        with self._lock:
            if version not in self._opened:
                port: KeyEncryption = context.clients.get(key_encryption)
                place = associated(self.tenant_id, version)
                self._opened[version] = port.unwrap(context, self.wrapped[version], place)
            return self._opened[version]


class KeyMemory:
    """The rings of one process.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._rings: Recent[str, Ring] = Recent(fresh=REREAD, missing=0, stale=MEMORY, retry=1, size=512, clock=clock)

    def ring(self, context: Context, tenant_id: str) -> Ring | None:
        """Return a tenant's keys, read again where they are not remembered; None where it has none yet."""
        self._rings.drop_older(MEMORY)
        return self._rings.get(tenant_id, lambda: _read(context, tenant_id))

    def forget(self, tenant_id: str) -> None:
        """Read the keys again at their next use."""
        self._rings.forget(tenant_id)


def key_memory(_settings: Settings) -> KeyMemory:
    """Build the memory of one process (a factory for ``Clients.get``)."""
    return KeyMemory()


def ensure(context: Context, tenant_id: str) -> None:
    """Give a tenant its keys if it has none; harmless to repeat, and two at once agree on one key.

    Raises:
        SealBroken: ``key_destroyed``: the tenant was deleted; its id does not come to life again.
        Unavailable: The key-encryption key or Firestore cannot be used at the moment.
    """
    ring_of(context, tenant_id)


def destroy(context: Context, tenant_id: str) -> None:
    """Destroy a tenant's keys: whatever they sealed can never be read again; harmless to repeat.

    A tenant that has no keys yet never gets any. The module tells how long a process may still know them.
    """
    now = datetime.now(UTC)

    def change(found: dict[str, Any] | None) -> tuple[dict[str, Any] | None, None]:
        if found is not None and found.get("destroyed_at") is not None:
            return None, None
        return {"tenant_id": tenant_id, "destroyed_at": now}, None

    technical.changed(context, path_of(tenant_id), change)
    context.clients.get(key_memory).forget(tenant_id)


def ring_of(context: Context, tenant_id: str, *, knowing: str | None = None) -> Ring:
    """Return a tenant's keys, made now if there are none.

    Args:
        context: Circumstances.
        tenant_id: Whose keys.
        knowing: A version that the ring must know: where the remembered one does not, it is read again.

    Raises:
        SealBroken: ``key_destroyed``.
        Unavailable: The key-encryption key or Firestore cannot be used at the moment.
    """
    if tenant_id == PLATFORM_TENANT:
        raise ValueError("platform work names a tenant first (context.for_tenant)")
    memory = context.clients.get(key_memory)
    ring = memory.ring(context, tenant_id)
    if ring is not None and not ring.destroyed and knowing is not None and knowing not in ring.wrapped:
        memory.forget(tenant_id)
        ring = memory.ring(context, tenant_id)
    if ring is None:
        _create(context, tenant_id)
        ring = memory.ring(context, tenant_id)
    if ring is None or ring.destroyed:
        raise SealBroken("key_destroyed", "The key of this tenant was destroyed; nothing of it can be read any more.")
    return ring


def associated(tenant_id: str, version: str) -> bytes:
    """Return what a wrapped key is bound to, so that it opens as no other tenant's or version's."""
    return f"xynergy/data-key/{tenant_id}/{version}".encode()


def wrap_new(context: Context, tenant_id: str, version: str) -> Wrapped:
    """Return a new random key, wrapped."""
    port: KeyEncryption = context.clients.get(key_encryption)
    return port.wrap(context, os.urandom(KEY_SIZE), associated(tenant_id, version))


def stored(wrapped: Wrapped, created_at: datetime) -> dict[str, Any]:
    """Return the fields of a wrapped key."""
    return {"wrapped": wrapped.text, "wrapped_by": wrapped.by, "created_at": created_at}


def path_of(tenant_id: str) -> str:
    """Return the path of the document with a tenant's wrapped keys."""
    return f"{technical.DATA_KEYS.path}/{tenant_id}"


def wrapped_in(document: Mapping[str, Any]) -> dict[str, Wrapped]:
    """Return the wrapped keys of a document by version, and the pepper."""
    entries = {**document["keys"], PEPPER: document[PEPPER]}
    return {name: Wrapped(text=entry["wrapped"], by=entry["wrapped_by"]) for name, entry in entries.items()}


def _create(context: Context, tenant_id: str) -> None:
    now = datetime.now(UTC)
    fields = {
        "tenant_id": tenant_id,
        "current": "1",
        "keys": {"1": stored(wrap_new(context, tenant_id, "1"), now)},
        PEPPER: stored(wrap_new(context, tenant_id, PEPPER), now),
        "created_at": now,
        "rotated_at": now,
        "checked_at": now,
        "destroyed_at": None,
    }
    # Whoever comes second finds the first one's document and leaves it alone.
    technical.changed(context, path_of(tenant_id), lambda found: (fields if found is None else None, None))
    context.clients.get(key_memory).forget(tenant_id)


def _read(context: Context, tenant_id: str) -> Ring | None:
    found = technical.read(context, path_of(tenant_id))
    if found is None:
        return None
    document, _ = found
    if document.get("destroyed_at") is not None:
        return Ring(tenant_id=tenant_id, current="", wrapped={}, destroyed=True)
    return Ring(tenant_id=tenant_id, current=document["current"], wrapped=wrapped_in(document))
