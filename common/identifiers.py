"""Identifiers: time-ordered UUIDs where the choice is ours, derived UUIDs where the same thing must get the same id."""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid

NAMESPACE = uuid.UUID("0b5b6f63-8c1f-5d0a-9f5e-6f0f0a3c9a51")
"""Namespace of derived ids; changing it would make every known thing look new."""


def uuid7() -> uuid.UUID:
    """Return a UUID of version 7 (RFC 9562): 48 bits of milliseconds since the epoch, 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def derived_uuid(*parts: str) -> uuid.UUID:
    """Return the UUID of version 5 that stands for ``parts``: the same parts, the same id.

    Parts are length-prefixed, so ``("ab", "c")`` and ``("a", "bc")`` differ.
    """
    return uuid.uuid5(NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts))


def digest(*parts: str) -> str:
    """Return the SHA-256 of ``parts`` (length-prefixed) as 64 hexadecimal digits: the id of a technical document."""
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()
