"""Keyed digests: what must be found again without being readable (suppressed addresses, pseudonyms, lookups).

HMAC-SHA256 under a subkey of the tenant's pepper, one subkey per purpose (HKDF-Expand of RFC 5869, of which the first
block is one HMAC). The pepper survives every rotation of the data key, so digests still match after years, and is
destroyed with the tenant's keys, so they mean nothing any more.
"""

from __future__ import annotations

import hashlib
import hmac

from common.context import Context
from common.crypto.keys import PEPPER, ring_of


def keyed(context: Context, purpose: str, value: str) -> str:
    """Return the digest of a value: 64 hexadecimal digits.

    Args:
        context: Whose pepper; it is made if the tenant has none yet.
        purpose: What the digest is for; digests of two purposes cannot be matched with one another.
        value: The value in the form in which it is compared (an e-mail address in lower case, say).

    Raises:
        SealBroken: ``key_destroyed``.
        Unavailable: The key cannot be had at the moment.
    """
    pepper = ring_of(context, context.tenant_id).key(context, PEPPER)
    return hmac.new(subkey(pepper, purpose), value.encode(), hashlib.sha256).hexdigest()


def subkey(pepper: bytes, purpose: str) -> bytes:
    """Return the subkey of a purpose: HKDF-Expand with SHA-256, 32 bytes."""
    return hmac.new(pepper, b"xynergy/digest/" + purpose.encode() + b"\x01", hashlib.sha256).digest()
