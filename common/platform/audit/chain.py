"""The chain of a trail: what is hashed, in which order, and what a block says.

An entry's hash is SHA-256 over the canonical JSON of what it says, with commitments in the place of personal values.
Blocks take entries in the order of their time and id. With ``link(0)`` the SHA-256 over the canonical JSON of the
block's tenant, number, previous head and time, and ``link(i)`` the SHA-256 over ``link(i - 1)`` and the hash of the
block's i-th entry, the block's head is its last link. The first block's previous head is 64 zeros.

So a head stands for every entry up to it: none can be changed, removed, put in or moved without changing all heads that
follow. An entry that comes late stands in a later block; its time says when it happened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from common.events import moment_of
from common.model import rfc3339
from common.platform.audit.canonical import canonical, commitment, sha256
from common.platform.audit.models import AuditEntry, Side

BEGINNING = "0" * 64
"""Previous head of the first block."""
MISSING = "0" * 64
"""Hash of an entry that was gone before it could be sealed."""
FORMAT = 1
"""Version of what is hashed; an entry says which one by the block it is in."""

SAID = (
    *("entry_id", "tenant_id", "entity", "operation", "event_type", "code", "at", "sequence", "schema_version"),
    *("actor_kind", "function", "request_id", "correlation_id", "causation_id", "reverts", "fields", "left_out"),
    *("left_out_sha256", "recorded_at", "erased_before"),
)
"""Fields of an entry that are hashed as they are; ``actor_id``, ``document_id`` and values may be commitments."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealed:
    """An entry's place in a block.

    Attributes:
        entry_id: The entry.
        digest: Its hash.
        at: Its time in microseconds since the epoch.
    """

    entry_id: str
    digest: str
    at: int

    def line(self) -> str:
        """Return it as a block keeps it."""
        return f"{self.entry_id} {self.digest} {self.at}"

    @classmethod
    def read(cls, line: str) -> Sealed:
        """Return what a block keeps; nonsense reads as an entry that is nowhere."""
        entry_id, _, rest = line.partition(" ")
        digest, _, at = rest.partition(" ")
        return cls(entry_id=entry_id, digest=digest, at=int(at) if at.lstrip("-").isdecimal() else 0)

    @property
    def moment(self) -> datetime:
        """When it happened."""
        return moment_of(self.at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One block of a chain.

    Attributes:
        tenant_id: Whose chain.
        number: Its number, from 1.
        previous: Head of the block before.
        sealed_at: When it was made.
        entries: Its entries in order.
        head: Its last link.
    """

    tenant_id: str
    number: int
    previous: str
    sealed_at: datetime
    entries: tuple[Sealed, ...]
    head: str

    @classmethod
    def of(cls, tenant_id: str, number: int, previous: str, sealed_at: datetime, entries: Sequence[Sealed]) -> Block:
        """Return the block that continues a chain."""
        head = head_of(tenant_id, number, previous, sealed_at, entries)
        return cls(
            tenant_id=tenant_id,
            number=number,
            previous=previous,
            sealed_at=sealed_at,
            entries=tuple(entries),
            head=head,
        )

    @property
    def is_whole(self) -> bool:
        """Whether the head is that of what the block says."""
        return self.head == head_of(self.tenant_id, self.number, self.previous, self.sealed_at, self.entries)

    def fields(self) -> dict[str, Any]:
        """Return the block as documents and copies keep it; JSON values."""
        return {
            "format": FORMAT,
            "tenant_id": self.tenant_id,
            "number": self.number,
            "previous": self.previous,
            "sealed_at": rfc3339(self.sealed_at),
            "entries": [each.line() for each in self.entries],
            "head": self.head,
        }

    def content(self) -> bytes:
        """Return the bytes of a copy."""
        return canonical(self.fields())

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Block | None:
        """Return the block that fields hold, or None where they hold none."""
        try:
            return cls(
                tenant_id=str(fields["tenant_id"]),
                number=int(fields["number"]),
                previous=str(fields["previous"]),
                sealed_at=datetime.fromisoformat(fields["sealed_at"]).astimezone(UTC),
                entries=tuple(Sealed.read(str(line)) for line in fields["entries"]),
                head=str(fields["head"]),
            )
        except (KeyError, TypeError, ValueError):
            return None

    @classmethod
    def parse(cls, content: bytes) -> Block | None:
        """Return the block that a copy holds, or None."""
        try:
            fields = json.loads(content)
        except ValueError:
            return None
        return cls.read(fields) if isinstance(fields, dict) else None


def head_of(tenant_id: str, number: int, previous: str, sealed_at: datetime, entries: Sequence[Sealed]) -> str:
    """Return the head of a block."""
    beginning = {"tenant_id": tenant_id, "number": number, "previous": previous, "sealed_at": rfc3339(sealed_at)}
    link = sha256(canonical(beginning))
    for each in entries:
        link = sha256(f"{link}{each.line()}".encode())
    return link


def sealed(entry: AuditEntry) -> Sealed:
    """Return an entry as a block takes it."""
    return Sealed(entry_id=str(entry.entry_id), digest=digest_of(entry), at=micros(entry.at))


def micros(moment: datetime) -> int:
    """Return a time in microseconds since the epoch."""
    return round(moment.timestamp() * 1_000_000)


def in_order(entries: Sequence[Sealed]) -> list[Sealed]:
    """Return entries in the order of a block."""
    return sorted(entries, key=lambda each: (each.at, each.entry_id))


def digest_of(entry: AuditEntry) -> str:
    """Return the hash of what an entry says."""
    told = entry.model_dump(mode="json")
    said: dict[str, Any] = {name: told[name] for name in SAID}
    for name in ("actor_id", "document_id"):
        committed = entry.committed.get(name)
        said[name] = told[name] if committed is None else {"commitment": committed.commitment}
    said["changes"] = [
        {"field": each.field, "old": _said(each.old), "new": _said(each.new)} for each in entry.field_changes()
    ]
    return sha256(canonical({"format": FORMAT, **said}))


def _said(side: Side | None) -> Any:
    if side is None:
        return None
    if side.commitment is not None:
        return {"commitment": side.commitment}
    return side.model_dump(mode="json", exclude={"commitment", "salt"})


def broken_commitments(entry: AuditEntry) -> list[str]:
    """Return the fields whose value is not the one that was committed to."""
    own = [(name, getattr(entry, name), each.salt, each.commitment) for name, each in entry.committed.items()]
    sides = [
        (change.field, side.value, side.salt, side.commitment)
        for change in entry.field_changes()
        for side in (change.old, change.new)
        if side is not None and side.commitment is not None
    ]
    return [name for name, value, salt, made in (*own, *sides) if salt is not None and not _holds(salt, value, made)]


def _holds(salt: str, value: Any, made: str) -> bool:
    try:
        return commitment(salt, value) == made
    except ValueError:
        return False


def has_gaps(entry: AuditEntry) -> bool:
    """Tell whether a value that was committed to is gone."""
    sides = [side for change in entry.field_changes() for side in (change.old, change.new) if side is not None]
    without_salt = any(side.salt is None for side in sides if side.commitment is not None)
    return without_salt or any(each.salt is None for each in entry.committed.values())
