"""Who the Search Console API is called as: a port, so that a tenant's own consent can take the service account's place.

The platform's service account reads a property once its owner has added the account as a user of it. A tenant's own
account (OAuth consent with a refresh token) would be another ``Authorization``.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Protocol

from common.context import Context
from common.errors import Unavailable
from common.settings import Settings

SCOPE = "https://www.googleapis.com/auth/webmasters.readonly"
DEPENDENCY = "search_console"


class Authorization(Protocol):
    """Says who calls."""

    def headers(self) -> Mapping[str, str]:
        """Return the header fields that a call carries; valid for some minutes.

        Raises:
            Unavailable: No token can be had at the moment.
        """


class Nobody:
    """Calls without a credential: for a server of the local cloud that stands for the API."""

    def headers(self) -> Mapping[str, str]:
        """Return nothing."""
        return {}


class ServiceAccount:
    """Calls as the account this process runs as; thread-safe."""

    def __init__(self) -> None:
        self._credentials: Any = None
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        """Return a bearer token, renewed shortly before it expires."""
        import google.auth
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import Request

        with self._lock:
            try:
                if self._credentials is None:
                    self._credentials, _ = google.auth.default(scopes=[SCOPE])
                if not self._credentials.valid:
                    self._credentials.refresh(Request())
            except GoogleAuthError as error:
                raise Unavailable(DEPENDENCY, f"no token for Search Console ({type(error).__name__})") from error
            return {"authorization": f"Bearer {self._credentials.token}"}


def service_account(settings: Settings) -> Authorization:
    """Build the authorization of one process (a factory for ``Clients.get``)."""
    return Nobody() if settings.is_local else ServiceAccount()


def authorization_of(context: Context) -> Authorization:
    """Return as whom the context's tenant's property is read."""
    return context.clients.get(service_account)
