"""The identity the local cloud delivers with: the same address and token claims as in production, unsigned."""

from __future__ import annotations

from common.service_identity import mint_local_token
from common.settings import Settings


class Addresses:
    """Where functions are and who calls them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def url(self, function: str) -> str:
        """Return a function's URL."""
        return self._settings.function_url.replace("{function}", function)

    def authorization(self, function: str) -> str:
        """Return the ``Authorization`` header of a delivery to ``function``."""
        email = self._settings.invoker_of(function)
        return f"Bearer {mint_local_token(email, self.url(function))}"
