"""Tasks of tenants that rest: put aside as they arrive, instead of going to their handler."""

from __future__ import annotations

from collections.abc import Mapping

from common.context import Context
from common.deliveries import TaskDelivery
from common.held_work import hold
from triggers.declaration import Task
from triggers.event_pipeline import Admit, Arrival
from triggers.resting import may_ask, over, state_of


def task_admission(declaration: Task) -> Admit | None:
    """Return what keeps the tasks of tenants away that do no work now, or None where nothing has to be asked."""
    if not may_ask(declaration):
        return None

    def admit(context: Context, arrival: Arrival, headers: Mapping[str, str], content: bytes) -> bool:
        state = state_of(context)
        if state is not None and state.is_leaving:
            return over(context)
        if state is None or not state.rests or declaration.while_resting:
            return True
        delivery = arrival.arguments[TaskDelivery]
        return not hold(context, context.function, delivery.task, headers, content)

    return admit
