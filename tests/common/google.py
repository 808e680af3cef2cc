"""Google as an issuer of tokens: signs them, and publishes the certificates that they are verified with."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from firebase_admin import auth as firebase_auth
from google.auth import crypt, jwt

Holder = Literal["people", "services"]


class Google:
    """Signs tokens and publishes certificates, as Google does; the certificates' transport of its libraries.

    People's ID tokens and services' are signed with different keys, published at different addresses; both keys have
    one name, so that nothing but the signature tells them apart.
    """

    def __init__(self) -> None:
        self.is_down = False

    @functools.cache  # noqa: B019 - an issuer lives as long as its tests
    def key(self, holder: Holder) -> rsa.RSAPrivateKey:
        """Return a signing key."""
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @functools.cache  # noqa: B019
    def pem(self, holder: Holder) -> bytes:
        """Return a signing key as text, which is what nobody else may ever see."""
        return self.key(holder).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )

    @functools.cache  # noqa: B019
    def certificate(self, holder: Holder) -> str:
        """Return the published certificate of a key."""
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "google")])
        now, key = datetime.now(UTC), self.key(holder)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
        ).sign(key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    def sign(self, claims: Mapping[str, Any], holder: Holder = "people") -> str:
        """Return a signed token."""
        token: bytes = jwt.encode(self._signer(holder), claims, key_id="k1")
        return token.decode()

    @functools.cache  # noqa: B019
    def _signer(self, holder: Holder) -> crypt.RSASigner:
        return crypt.RSASigner.from_string(self.pem(holder), "k1")

    def __call__(self, url: str, *positional: Any, **named: Any) -> Any:
        """Answer a request for certificates."""
        if self.is_down:
            raise firebase_auth.CertificateFetchError("down", None)
        published = json.dumps({"k1": self.certificate("people" if "securetoken" in url else "services")}).encode()

        class Response:
            status = 200
            headers: ClassVar = {"content-type": "application/json"}
            data = published

        return Response()
