"""The key-encryption key that wraps tenants' data keys: Cloud KMS in the cloud, a key file at home, behind one port.

The data keys never leave the process in the clear and the key-encryption key never enters it: KMS wraps and unwraps
over its REST interface (``projects.locations.keyRings.cryptoKeys.encrypt`` and ``decrypt``), because the client library
costs several times the import of everything a small function does otherwise.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common import fetch
from common.clients.account_token import AccountToken
from common.context import Context
from common.errors import ConfigurationError, SealBroken, Unavailable
from common.settings import Settings

KMS = "https://cloudkms.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/cloudkms"
DEPENDENCY = "kms"
LIMITS = fetch.Limits(max_bytes=65_536, seconds=5, redirects=0)
NONCE = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrapped:
    """A key as it is stored.

    Attributes:
        text: The wrapped key, base64.
        by: The version of the key-encryption key that wrapped it, for people and for the re-wrapping.
    """

    text: str = field(repr=False)
    by: str


class KeyEncryption(Protocol):
    """Wraps and unwraps data keys."""

    def wrap(self, context: Context, key: bytes, associated: bytes) -> Wrapped:
        """Return the key wrapped under the newest version of the key-encryption key.

        Raises:
            Unavailable: The service does not answer or does not let us.
        """

    def unwrap(self, context: Context, wrapped: Wrapped, associated: bytes) -> bytes:
        """Return the key.

        Raises:
            SealBroken: ``wrapped_key_not_authentic``: changed, or wrapped for something else, or by another key.
            Unavailable: The service does not answer or does not let us.
        """


class KmsKeys:
    """A symmetric key of Cloud KMS; its versions rotate by themselves, and KMS knows which one wrapped what.

    Args:
        name: Resource name of the key.
        token: Access tokens of the process's account.
        url: Address of the service.
    """

    def __init__(self, name: str, token: AccountToken, url: str = KMS) -> None:
        self._address = f"{url}/v1/{name}"
        self._token = token

    def wrap(self, context: Context, key: bytes, associated: bytes) -> Wrapped:
        """Wrap a key, and make sure that it can be unwrapped: a key damaged on its way would be noticed too late."""
        body = {"plaintext": _text(key), "additionalAuthenticatedData": _text(associated)}
        answer = self._call(context, "encrypt", body)
        wrapped = Wrapped(text=str(answer.get("ciphertext", "")), by=str(answer.get("name", "")))
        if not secrets.compare_digest(self.unwrap(context, wrapped, associated), key):
            raise Unavailable(DEPENDENCY, "a wrapped key came back changed")
        return wrapped

    def unwrap(self, context: Context, wrapped: Wrapped, associated: bytes) -> bytes:
        """Unwrap a key."""
        body = {"ciphertext": wrapped.text, "additionalAuthenticatedData": _text(associated)}
        return _bytes(str(self._call(context, "decrypt", body).get("plaintext", "")))

    def _call(self, context: Context, verb: str, body: Mapping[str, str]) -> Mapping[str, Any]:
        headers = {**self._token.headers(), "content-type": "application/json"}
        content = json.dumps(body).encode()
        try:
            answer = fetch.post(context, f"{self._address}:{verb}", content, limits=LIMITS, headers=headers)
        except fetch.FetchFailed as error:
            raise Unavailable(DEPENDENCY, f"Cloud KMS does not answer ({error.code})") from None
        if answer.status == 400 and verb == "decrypt" and b"INVALID_ARGUMENT" in answer.body:
            raise _not_authentic()
        if answer.status != 200:
            # 403 and 404 as well: a grant takes minutes to arrive, and a disabled key can be enabled again.
            raise Unavailable(DEPENDENCY, f"Cloud KMS answers {answer.status}")
        try:
            found = json.loads(answer.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Unavailable(DEPENDENCY, "Cloud KMS answers what cannot be read")
        return found


class FileKeys:
    """Keys in a file, for the local cloud: each line a name, a colon and 32 bytes in base64; the last one wraps.

    The file is read again whenever it is used, so a new line is a new version at once.

    Args:
        path: The file; nobody else may read it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def wrap(self, context: Context, key: bytes, associated: bytes) -> Wrapped:
        """Wrap a key with the last line's."""
        del context
        name, secret = list(self._keys().items())[-1]
        nonce = os.urandom(NONCE)
        return Wrapped(text=_text(nonce + AESGCM(secret).encrypt(nonce, key, associated)), by=f"file:{name}")

    def unwrap(self, context: Context, wrapped: Wrapped, associated: bytes) -> bytes:
        """Unwrap a key with the line's that wrapped it."""
        del context
        secret = self._keys().get(wrapped.by.removeprefix("file:"))
        content = _bytes(wrapped.text)
        if secret is None or len(content) <= NONCE:
            raise _not_authentic()
        try:
            return AESGCM(secret).decrypt(content[:NONCE], content[NONCE:], associated)
        except InvalidTag:
            raise _not_authentic() from None

    def _keys(self) -> dict[str, bytes]:
        try:
            if self._path.stat().st_mode & 0o077:
                raise ConfigurationError(f"the key file {self._path} can be read by others; make it 0600")
            lines = self._path.read_text(encoding="ascii").split()
            found = {name: base64.b64decode(text, validate=True) for name, _, text in (x.partition(":") for x in lines)}
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"the key file {self._path} cannot be read ({type(error).__name__})") from None
        if not found or any(len(secret) != 32 for secret in found.values()):
            raise ConfigurationError(f"the key file {self._path} holds no keys of 32 bytes")
        return found


def key_encryption(settings: Settings) -> KeyEncryption:
    """Build the port of one process (a factory for ``Clients.get``).

    Raises:
        ConfigurationError: The deployment names no key.
    """
    if settings.kms_key.startswith("file:"):
        return FileKeys(Path(settings.kms_key.removeprefix("file:")))
    if not settings.kms_key:
        raise ConfigurationError("XYNERGY_KMS_KEY is not set; nothing can be encrypted")
    return KmsKeys(settings.kms_key, AccountToken(SCOPE, DEPENDENCY))


def key_line(name: str) -> str:
    """Return a new line of a key file."""
    return f"{name}:{_text(secrets.token_bytes(32))}\n"


def _not_authentic() -> SealBroken:
    return SealBroken("wrapped_key_not_authentic", "The data key cannot be unwrapped: it was changed or is another's.")


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise _not_authentic() from None
