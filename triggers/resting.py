"""Deliveries for tenants that do no work now: tasks of a resting tenant are put aside, those of a deleted one are over.

Functions without a permission for Firestore are left alone: they can neither ask nor keep anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from common.api_keys import tenant_state
from common.context import PLATFORM_TENANT, Context
from common.events import Envelope
from common.logs import logger
from common.tenant_state import TenantState
from triggers.declaration import Function, Message
from triggers.event_pipeline import Admit, Arrival


def message_admission(declaration: Message) -> Admit | None:
    """Return what ends the messages of tenants that are gone, or None where nothing has to be asked."""
    if not may_ask(declaration):
        return None

    def admit(context: Context, arrival: Arrival, _headers: Mapping[str, str], _content: bytes) -> bool:
        state = state_of(context)
        if state is None or not state.is_leaving:
            return True
        envelope = arrival.arguments.get(Envelope)
        # Who asks for the very event wants it: that a tenant is gone is told when it is gone.
        if envelope is not None and f'"{envelope.event_type}"' in declaration.filter:
            return True
        return over(context)

    return admit


def may_ask(declaration: Function) -> bool:
    """Tell whether a function can read the directory of tenants."""
    return any(need.startswith("firestore:") for need in declaration.needs)


def state_of(context: Context) -> TenantState | None:
    """Return what is remembered of the tenant of a delivery; None for the platform's own, and unknown ones."""
    return None if context.tenant_id == PLATFORM_TENANT else tenant_state(context.clients, context.tenant_id)


def over(context: Context) -> bool:
    """Tell, and log, that a delivery of a deleted tenant goes to nobody."""
    logger(context).info("dropped: the tenant is deleted")
    return False
