"""Values as bytes, always the same ones for the same value, and the commitments that stand for personal values.

Canonical JSON, after RFC 8785 with two rules of its own: names are sorted by code point (not by UTF-16 unit), and
numbers stay as Python writes them shortest (``1``, ``1.0`` and ``1e+22`` differ: they are different values here). No
white space; UTF-8; strings escaped only where JSON demands it. Numbers that JSON has no word for do not occur: events
carry them as text.

A commitment is SHA-256 over a random salt of 16 bytes and the canonical value. With value and salt at hand it is
checked; without the salt it says nothing about the value, not even to whoever guesses it. So erasing value and salt
erases the value, while everything hashed over the commitment stays as it was.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

SALT_BYTES = 16


def canonical(value: Any) -> bytes:
    """Return the canonical JSON of a value of JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def sha256(content: bytes) -> str:
    """Return a SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def salt() -> str:
    """Return a new salt as hexadecimal digits."""
    return secrets.token_hex(SALT_BYTES)


def commitment(salt: str, value: Any) -> str:
    """Return the commitment to a value."""
    return sha256(bytes.fromhex(salt) + canonical(value))
