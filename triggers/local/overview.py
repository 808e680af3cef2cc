"""What the control interface shows and does, on behalf of one local cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import psutil

from common.clients.registry import Clients
from triggers.local import files, page
from triggers.local.control import BadCall, Query
from triggers.local.deliveries import Order
from triggers.local.functions import Document as DocumentTrigger
from triggers.local.functions import Http, LocalFunction, Message, Schedule, subscriptions, topics
from triggers.local.processes import LOOPBACK, Service
from triggers.local.resources import domains

if TYPE_CHECKING:
    from triggers.local.cloud import LocalCloud

SHOWN = 50
MEBIBYTE = 1024 * 1024


def memory_of(pid: int | None) -> int:
    """Return the resident memory of a process and its children in MiB; 0 if it is gone."""
    if pid is None:
        return 0
    try:
        process = psutil.Process(pid)
        return int(sum(each.memory_info().rss for each in [process, *process.children(recursive=True)]) / MEBIBYTE)
    except psutil.NoSuchProcess:
        return 0


def fired_by(function: LocalFunction) -> str:
    """Return in a few words what fires a function."""
    declaration = function.declaration
    match declaration:
        case Http():
            return f"{declaration.method} {declaration.path}"
        case Message():
            return f"topic {declaration.topic}" + (f" where {declaration.filter}" if declaration.filter else "")
        case DocumentTrigger():
            return f"{declaration.change} {declaration.path}"
        case Schedule():
            return f"{declaration.cron} ({declaration.time_zone})"
        case _:
            return f"queue {function.name}"


class Overview:
    """One local cloud, seen from its control interface."""

    def __init__(self, cloud: LocalCloud, *, schedules_enabled: bool) -> None:
        self._cloud = cloud
        self._enabled = schedules_enabled
        self._clients = Clients(cloud.settings)

    def status(self) -> dict[str, Any]:
        """Return the state of everything."""
        cloud = self._cloud
        consumers: dict[str, list[str]] = {topic: [] for topic in topics(cloud.functions, domains())}
        for subscription in subscriptions(cloud.functions):
            consumers[subscription.topic].append(subscription.name)
        return {
            "project": cloud.project,
            "url": cloud.url,
            "ready_after": round(cloud.ready_after, 2),
            "pending": cloud.dispatcher.pending(),
            "functions": [
                {"name": function.name, "kind": function.kind, "fired_by": fired_by(function)}
                for function in cloud.functions
            ],
            "schedules": {
                function.name: {"cron": function.declaration.cron, "time_zone": function.declaration.time_zone}
                for function in cloud.functions
                if isinstance(function.declaration, Schedule)
            },
            "schedules_enabled": self._enabled,
            "topics": consumers,
            "queues": cloud.queues.summary(),
            "deliveries": cloud.dispatcher.status(),
            "services": {name: self._service(service) for name, service in cloud.services.items()},
            "memory_mb": memory_of(psutil.Process().pid),
        }

    @staticmethod
    def _service(service: Service) -> dict[str, Any]:
        return {
            "address": f"{LOOPBACK}:{service.port}",
            "running": service.running,
            "pid": service.pid,
            "memory_mb": memory_of(service.pid),
            "log": str(service.log),
        }

    def metrics(self) -> str:
        """Return counts by function in the text format of Prometheus."""
        names = ("delivered", "failed_attempts", "given_up", "waiting", "active")
        status = self._cloud.dispatcher.status()
        lines = []
        for name in names:
            kind = "gauge" if name in {"waiting", "active"} else "counter"
            lines.append(f"# TYPE xynergy_local_deliveries_{name} {kind}")
            lines += [
                f'xynergy_local_deliveries_{name}{{function="{function}"}} {counts[name]}'
                for function, counts in status.items()
            ]
        return "\n".join(lines) + "\n"

    def page(self) -> str:
        """Return the page."""
        return page.render(self.status(), self.deliveries({"limit": str(SHOWN)}))

    def deliveries(self, query: Query) -> list[dict[str, object]]:
        """Return the latest deliveries, newest first; ``function`` and ``limit`` narrow them."""
        wanted = query.get("function")
        limit = int(query["limit"]) if query.get("limit", "").isdecimal() else 2000
        found = [each for each in reversed(list(self._cloud.dispatcher.recent)) if wanted in {None, each["function"]}]
        return found[:limit]

    def tasks(self) -> dict[str, Any]:
        """Return queues with their tasks."""
        return self._cloud.queues.summary()

    def file(self, path: tuple[str, ...], query: Query) -> files.FileAnswer:
        """Return the file that a signed link leads to."""
        return files.answer(self._clients, path, query)

    def command(self, path: tuple[str, ...], query: Query) -> dict[str, Any]:
        """Fire a schedule, or hold back, let go or duplicate deliveries.

        Raises:
            BadCall: There is no such command, function or number.
        """
        match path:
            case ("schedules", name, "fire"):
                if name not in self._cloud.scheduler.names:
                    raise BadCall(f"{name} has no schedule")
                self._cloud.scheduler.fire(name)
                return {"fired": name}
            case ("deliveries", "pause" | "resume" | "duplicate" as verb):
                return self._deliveries(verb, query)
            case _:
                raise BadCall("no such command")

    def _deliveries(self, verb: str, query: Query) -> dict[str, Any]:
        function = query.get("function", "")
        if function not in {known.name for known in self._cloud.functions}:
            raise BadCall("function: name one that exists")
        dispatcher = self._cloud.dispatcher
        if verb == "pause":
            dispatcher.pause(function)
        elif verb == "resume":
            order = query.get("order", "kept")
            if order not in {"kept", "reversed", "shuffled"}:
                raise BadCall("order: kept, reversed or shuffled")
            dispatcher.resume(function, cast("Order", order))
        else:
            times = query.get("times", "2")
            if not times.isdecimal():
                raise BadCall("times: a whole number")
            dispatcher.duplicate(function, int(times))
        return {verb: function}
