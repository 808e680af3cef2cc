"""Who the Search Console API is called as: a port, so that a tenant's own consent can take the service account's place.

The platform's service account reads a property once its owner has added the account as a user of it. A tenant's own
account (OAuth consent with a refresh token) would be another ``Authorization``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from common.clients.account_token import AccountToken
from common.context import Context
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


class ServiceAccount(AccountToken):
    """Calls as the account this process runs as."""

    def __init__(self) -> None:
        super().__init__(SCOPE, DEPENDENCY)


def service_account(settings: Settings) -> Authorization:
    """Build the authorization of one process (a factory for ``Clients.get``)."""
    return Nobody() if settings.is_local else ServiceAccount()


def authorization_of(context: Context) -> Authorization:
    """Return as whom the context's tenant's property is read."""
    return context.clients.get(service_account)
