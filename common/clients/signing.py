"""Factory of what signs as the function's own service account, which has no key file: IAM signs for it."""

from __future__ import annotations

import functools
from typing import Any

import google.auth
from google.auth import credentials as auth_credentials
from google.auth import iam
from google.auth.transport import requests as transport

from common.settings import Settings

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
PATIENCE = 10.0
"""Seconds of one call of IAM; a link that is not signed by then is asked for again."""


class AccountSigner(auth_credentials.Signing):  # type: ignore[misc]  # the library has no types
    """Signs bytes as a service account through IAM's ``signBlob``; needs the right to make tokens of that account.

    Args:
        source: Credentials of the process.
        request: Makes HTTP requests for ``google.auth``.
    """

    def __init__(self, source: Any, request: Any) -> None:
        self._source = source
        self._request = functools.partial(request, timeout=PATIENCE)

    @property
    def signer_email(self) -> str:
        """The account, as the metadata server tells it (it says ``default`` before the first token)."""
        if not self._source.valid:
            self._source.refresh(self._request)
        return str(self._source.service_account_email)

    @property
    def signer(self) -> iam.Signer:
        """What signs."""
        return iam.Signer(self._request, self._source, self.signer_email)

    def sign_bytes(self, message: bytes) -> bytes:
        """Return the signature.

        Raises:
            google.auth.exceptions.TransportError: IAM does not answer, or refuses.
        """
        return bytes(self.signer.sign(message))


def account_signer(settings: Settings) -> AccountSigner:
    """Build the signer of this process's account."""
    source, _ = google.auth.default(scopes=[SCOPE], default_scopes=[SCOPE], quota_project_id=settings.project)
    return AccountSigner(source, transport.Request())
