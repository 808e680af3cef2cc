"""People as credentials see them: tenant, role and status, read from their documents and remembered for a minute.

Custom claims of an ID token live as long as the token, an hour; the document is what counts. So a person who was
deactivated, got another role or was signed out everywhere is treated so within ``FRESH`` seconds, whatever the token
says. The documents belong to the tenants' domain (``common.tenants.people``); this is what every request needs of them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from pydantic import ConfigDict

from common.api_keys import TenantRole, read_document
from common.clients.registry import Clients
from common.model import Model
from common.recent import Recent
from common.settings import Settings

COLLECTION = "users"
FRESH = 60.0
"""Seconds for which a person's document is believed without reading it again."""

PersonStatus = Literal["active", "deactivated"]

_DOCUMENT_ID = re.compile(r"(?!\.{1,2}$)(?!__.*__$)[^/]+", re.DOTALL)


class StoredPerson(Model):
    """The part of a person's document that credentials depend on.

    Attributes:
        tenant_id: The one tenant the person belongs to.
        role: What the person may do.
        status: Whether the person may do it.
        sessions_valid_after: Sign-ins up to this moment do not count any more; None where all do.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    tenant_id: str
    role: TenantRole
    status: PersonStatus
    sessions_valid_after: datetime | None = None

    def accepts(self, signed_in_at: float) -> bool:
        """Tell whether a sign-in (seconds since the epoch, whole as tokens have them) still counts.

        One in the very second in which sessions were ended does not: it may have been before.
        """
        ended = self.sessions_valid_after
        return ended is None or signed_in_at > int(ended.timestamp())


class People:
    """What a process remembers of people; while Firestore is down, what was read in the last five minutes counts."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.by_id: Recent[str, StoredPerson] = Recent(fresh=FRESH, missing=10, stale=300, clock=clock)


def people_memory(_settings: Settings) -> People:
    """Build the memory of one process (a factory for ``Clients.get``)."""
    return People()


def find_person(clients: Clients, user_id: str) -> StoredPerson | None:
    """Return the person with an id, or None.

    Raises:
        Unavailable: Firestore does not answer and nothing recent is remembered.
    """
    if not _DOCUMENT_ID.fullmatch(user_id):
        return None
    return clients.get(people_memory).by_id.get(user_id, lambda: read_person(clients, user_id))


def forget_person(clients: Clients, user_id: str) -> None:
    """Let this process read a person anew: a change it has just made counts for it at once."""
    clients.get(people_memory).by_id.forget(user_id)


def read_person(clients: Clients, user_id: str) -> StoredPerson | None:
    """Return the person with an id as the document says now, of whatever tenant, or None.

    Raises:
        Unavailable: Firestore does not answer.
    """
    document = read_document(clients, f"{COLLECTION}/{user_id}")
    return None if document is None else StoredPerson.model_validate(document)
