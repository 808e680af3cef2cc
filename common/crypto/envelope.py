"""Sealing what nobody but the tenant's own functions may read: AES-256-GCM under the tenant's data key.

A sealed text is ``xe1.<key version>.<base64url of nonce and ciphertext>``. The tenant, the key version and what the
caller names as ``associated`` are authenticated with it: a ciphertext that is copied to another tenant, record or field
does not open there. Nonces are random; a key seals far fewer than the 2^32 texts for which that is safe (NIST SP
800-38D, 8.3), because it is rotated.
"""

from __future__ import annotations

import base64
import os
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.context import Context
from common.crypto.keys import ring_of
from common.errors import SealBroken

FORMAT = "xe1"
NONCE = 12
TAG = 16
SEALED = re.compile(r"xe1\.([1-9][0-9]{0,8})\.([A-Za-z0-9_-]+)")


def place(entity: str, document_id: str, field: str) -> str:
    """Return the ``associated`` text of one field of one document; the parts cannot run into one another."""
    return "|".join(f"{len(part)}:{part}" for part in (entity, document_id, field))


def seal(context: Context, plaintext: bytes, *, associated: str) -> str:
    """Return the sealed text, for the context's tenant.

    Args:
        context: Whose key; it is made if the tenant has none yet.
        plaintext: What to seal.
        associated: Where the text belongs, such as ``place("account", account_id, "refresh_token")``.

    Raises:
        SealBroken: ``key_destroyed``.
        Unavailable: The key cannot be had at the moment.
    """
    ring = ring_of(context, context.tenant_id)
    nonce = os.urandom(NONCE)
    cipher = AESGCM(ring.key(context, ring.current))
    content = nonce + cipher.encrypt(nonce, plaintext, _bound(context, ring.current, associated))
    return f"{FORMAT}.{ring.current}.{base64.urlsafe_b64encode(content).rstrip(b'=').decode()}"


def opened(context: Context, sealed: str, *, associated: str) -> bytes:
    """Return what was sealed.

    Raises:
        SealBroken: ``seal_malformed``, ``seal_key_unknown``, ``seal_not_authentic`` or ``key_destroyed``.
        Unavailable: The key cannot be had at the moment.
    """
    version, content = _taken_apart(sealed)
    ring = ring_of(context, context.tenant_id, knowing=version)
    if version not in ring.wrapped:
        raise SealBroken("seal_key_unknown", f"The text was sealed by a key {version} that this tenant never had.")
    cipher = AESGCM(ring.key(context, version))
    try:
        return cipher.decrypt(content[:NONCE], content[NONCE:], _bound(context, version, associated))
    except InvalidTag:
        raise SealBroken(
            "seal_not_authentic", "The text was changed, or sealed for another tenant, record or field."
        ) from None


def renewed(context: Context, sealed: str, *, associated: str) -> str:
    """Return the text sealed under the current key: the very same where it is already.

    Raises:
        SealBroken: As ``opened``.
        Unavailable: The key cannot be had at the moment.
    """
    if is_current(context, sealed):
        return sealed
    return seal(context, opened(context, sealed, associated=associated), associated=associated)


def is_current(context: Context, sealed: str) -> bool:
    """Tell whether a text was sealed by the key that seals now.

    Raises:
        SealBroken: ``seal_malformed`` or ``key_destroyed``.
        Unavailable: The keys cannot be read at the moment.
    """
    version, _ = _taken_apart(sealed)
    return version == ring_of(context, context.tenant_id, knowing=version).current


def make_ready(context: Context) -> None:
    """Unwrap the key that seals, so that sealing shortly after asks nobody: for what must not be lost once it came.

    Raises:
        SealBroken: ``key_destroyed``.
        Unavailable: The key cannot be had at the moment.
    """
    ring = ring_of(context, context.tenant_id)
    ring.key(context, ring.current)


def _taken_apart(sealed: str) -> tuple[str, bytes]:
    match = SEALED.fullmatch(sealed)
    try:
        content = (
            b""
            if match is None
            else base64.b64decode(match[2] + "=" * (-len(match[2]) % 4), altchars=b"-_", validate=True)
        )
    except ValueError:
        content = b""
    if match is None or len(content) < NONCE + TAG:
        raise SealBroken("seal_malformed", "The text is not sealed in a format we know, or is cut short.")
    return match[1], content


def _bound(context: Context, version: str, associated: str) -> bytes:
    parts = (FORMAT, context.tenant_id, version, associated)
    return "|".join(f"{len(part)}:{part}" for part in parts).encode()
