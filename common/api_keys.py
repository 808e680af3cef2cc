"""API keys: how they look, where authentication finds them (by their hash), and reading them back quickly.

A key is ``xyn_`` and 43 base64url characters: 256 random bits, so one round of SHA-256 is enough to store it safely; a
slow password hash protects guessable secrets, which these are not. The document's id is the hash, hence a presented key
is found by one read, and the comparison reveals nothing: whoever can aim at a hash does not know its key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict

from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Deadline
from common.errors import ConfigurationError
from common.firestore_calls import bounded, translated
from common.model import Model
from common.recent import Recent
from common.settings import Settings
from common.tenant_state import TenantState, tenant_path

KEY = re.compile(r"xyn_[A-Za-z0-9_-]{43}")
COLLECTION = "system/credentials/api_keys"
PREFIX_LENGTH = 8
"""Characters of a key that are shown to people, so that they can tell their keys apart."""

OPERATOR_KEYS_AGE = 300.0
"""Seconds after which the file of operators' keys is read again."""

TenantRole = Literal["admin", "manager", "user", "viewer"]


class StoredKey(Model):
    """What authentication needs of an API key, stored by the key's hash.

    Everything else about a key is the entity ``api_key`` (``common.tenants.keys``), which is written in the same
    transaction. Documents from before that entity hold more fields, which are ignored here.

    Attributes:
        key_id: Id shown to people and written into events as the actor.
        tenant_id: Whose key it is.
        scopes: What it may do.
        role: What roles-restricted operations see.
        expires_at: From when it is refused; None is never.
        revoked_at: Since when it is refused; None where it is not revoked.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    key_id: str
    tenant_id: str
    scopes: tuple[str, ...]
    role: TenantRole
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


def generate_key() -> str:
    """Return a new key."""
    return f"xyn_{secrets.token_urlsafe(32)}"


def key_digest(key: str) -> str:
    """Return the hash a key is stored under: 64 hexadecimal digits."""
    return hashlib.sha256(key.encode()).hexdigest()


def key_path(digest: str) -> str:
    """Return the path of a key's document."""
    return f"{COLLECTION}/{digest}"


class OperatorKeys:
    """The platform operators' keys, hashed in a file that is read again every five minutes; thread-safe."""

    def __init__(self, file: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._file, self._clock = file, clock
        self._digests: tuple[str, ...] | None = None
        self._next_read = 0.0
        self._lock = threading.Lock()

    def match(self, digest: str) -> bool:
        """Tell whether a hash is an operator's, in a time that does not depend on which one matches.

        Raises:
            ConfigurationError: The file cannot be read or understood, and never could since the process began.
        """
        matches = [hmac.compare_digest(digest, known) for known in self._current()]
        return any(matches)

    def _current(self) -> tuple[str, ...]:
        if not self._file:
            return ()
        with self._lock:
            if self._digests is None or self._clock() >= self._next_read:
                try:
                    self._digests = self._read()
                except ConfigurationError:
                    # A broken update of the mounted secret must not lock the operators out who could mend it.
                    if self._digests is None:
                        raise
                self._next_read = self._clock() + OPERATOR_KEYS_AGE
            return self._digests

    def _read(self) -> tuple[str, ...]:
        try:
            lines = Path(self._file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"operator keys cannot be read: {error}") from error
        digests = []
        for number, line in enumerate(lines, start=1):
            entry = line.partition("#")[0].strip()
            if not entry:
                continue
            found = re.fullmatch(r"sha256:([0-9a-f]{64})", entry)
            if found is None:
                raise ConfigurationError(f"operator keys, line {number}: not 'sha256:' and 64 hexadecimal digits")
            digests.append(found[1])
        return tuple(digests)


class Credentials:
    """What a process remembers of credentials.

    A revoked key or a suspended tenant is refused within a minute everywhere; while Firestore is down, what was read in
    the last five minutes still counts.

    Attributes:
        keys: Stored keys by hash.
        tenants: State by tenant id.
        operators: Operators' keys.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.keys: Recent[str, StoredKey] = Recent(fresh=60, missing=10, stale=300, clock=clock)
        self.tenants: Recent[str, TenantState] = Recent(fresh=60, missing=10, stale=300, clock=clock)
        self.operators = OperatorKeys(settings.operator_keys_file, clock)


def credentials_cache(settings: Settings) -> Credentials:
    """Build the memory of one process (a factory for ``Clients.get``)."""
    return Credentials(settings)


def find_key(clients: Clients, digest: str) -> StoredKey | None:
    """Return the stored key with a hash, or None.

    Raises:
        Unavailable: Firestore does not answer and nothing recent is remembered.
    """
    return clients.get(credentials_cache).keys.get(digest, lambda: _read_key(clients, digest))


def tenant_state(clients: Clients, tenant_id: str) -> TenantState | None:
    """Return what a process remembers of a tenant, or None where there is no such tenant.

    Raises:
        Unavailable: Firestore does not answer and nothing recent is remembered.
    """
    return clients.get(credentials_cache).tenants.get(tenant_id, lambda: _read_state(clients, tenant_id))


def tenant_status(clients: Clients, tenant_id: str) -> str | None:
    """Return a tenant's status, or None where there is no such tenant.

    Raises:
        Unavailable: Firestore does not answer and nothing recent is remembered.
    """
    state = tenant_state(clients, tenant_id)
    return None if state is None else state.status


def _read_key(clients: Clients, digest: str) -> StoredKey | None:
    document = read_document(clients, key_path(digest))
    return None if document is None else StoredKey.model_validate(document)


def _read_state(clients: Clients, tenant_id: str) -> TenantState | None:
    document = read_document(clients, tenant_path(tenant_id))
    return None if document is None else TenantState.read(document)


def read_document(clients: Clients, path: str) -> Mapping[str, Any] | None:
    """Return a document that a credential depends on, or None where there is none.

    Raises:
        Unavailable: Firestore does not answer.
    """
    # Every request waits for this: after two seconds what is remembered (or 503) is the better answer.
    with translated():
        snapshot = clients.get(firestore_client).document(path).get(**bounded(Deadline.after(2.0)))
    document: Mapping[str, Any] | None = snapshot.to_dict() if snapshot.exists else None
    return document
