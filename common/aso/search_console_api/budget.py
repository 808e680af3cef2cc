"""How often a tenant's synchronisation may call the API in a day: counted before the call, whatever crashes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from common import technical
from common.context import Context
from common.technical import SEARCH_CONSOLE_CALLS

BLOCK = 25
"""Calls taken from the budget at once: one write for as many calls."""


class Budget:
    """The calls that one run may make.

    Args:
        context: Whose calls.
        day: The API's day, for which they count.
    """

    def __init__(self, context: Context, day: date) -> None:
        self._context = context
        self._path = f"{SEARCH_CONSOLE_CALLS.path}/{context.tenant_id}:{day.isoformat()}"
        self._held = 0

    def take(self) -> bool:
        """Take one call; False where the day's are used up.

        Raises:
            Unavailable: Firestore does not answer.
        """
        if self._held == 0:
            self._held = self._reserve(BLOCK)
        if self._held == 0:
            return False
        self._held -= 1
        return True

    def give_back(self) -> None:
        """Return what was taken from the budget and not used; a run that crashes leaves it counted."""
        if self._held:
            self._reserve(-self._held)
            self._held = 0

    def _reserve(self, wanted: int) -> int:
        most = self._context.clients.settings.search_console_calls

        def change(fields: dict[str, Any] | None) -> tuple[dict[str, Any] | None, int]:
            used = int((fields or {}).get("used", 0))
            granted = min(wanted, max(0, most - used))
            if granted == 0:
                return None, 0
            expires_at = datetime.now(UTC) + timedelta(days=3)
            return {"tenant_id": self._context.tenant_id, "used": used + granted, "expires_at": expires_at}, granted

        return technical.changed(self._context, self._path, change)
