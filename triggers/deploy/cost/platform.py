"""What the cost model knows of the platform: functions, entities and cache times, from the generated files."""

from __future__ import annotations

import functools
import json
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from common.registry import ENTITIES_FILE
from triggers.cron import parse_cron
from triggers.deploy.inputs import checked_manifest
from triggers.deploy.sizes import cpu_of
from triggers.manifest import MANIFEST_FILE, Entry

SECONDS = 365 / 12 * 86_400
"""Seconds of a month."""
HOURS = SECONDS / 3600
DAYS = SECONDS / 86_400

ENQUEUE = "tasks:enqueue:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Namespace:
    """A cache namespace.

    Attributes:
        name: Its name.
        domain: Whose entities make it stale.
        ttl: Seconds.
        source: Store that its answers come from.
        share: Share of the domain's entities whose change makes it stale.
    """

    name: str
    domain: str
    ttl: float
    source: str
    share: float


@dataclass(frozen=True, kw_only=True)
class Platform:
    """The declarations.

    Attributes:
        functions: Entries of the manifest.
        namespaces: Cache namespaces.
        tables: Entities with a table for each tenant.
        below_tenants: Share of the entities that live under a tenant's document.
    """

    functions: tuple[Entry, ...]
    namespaces: tuple[Namespace, ...]
    tables: int
    below_tenants: float

    def of(self, kind: str) -> list[Entry]:
        """Return the functions of a kind."""
        return [entry for entry in self.functions if entry["kind"] == kind]

    @functools.cached_property
    def readers(self) -> list[Entry]:
        """Operations that tenants read with."""
        return [entry for entry in self._of_tenants() if entry["method"] == "GET"]

    @functools.cached_property
    def writers(self) -> list[Entry]:
        """Operations that tenants write with."""
        return [
            entry for entry in self._of_tenants() if entry["method"] != "GET" and "firestore:write" in entry["needs"]
        ]

    def _of_tenants(self) -> Iterable[Entry]:
        return (entry for entry in self.of("http") if not entry["public"] and entry["tenancy"] == "tenant")

    @functools.cached_property
    def health(self) -> list[Entry]:
        """What the uptime check asks."""
        return [entry for entry in self.of("http") if entry["public"] and entry["path"].endswith("/health")]

    def namespace_of(self, entry: Entry) -> Namespace | None:
        """Return the namespace of a cached operation: of its domain and store, the one that ends first.

        The manifest says that an answer is cached and not where; the shortest time gives the highest bill.
        """
        if not entry["returns"].startswith("Cached["):
            return None
        source = "warehouse" if "bigquery:read" in entry["needs"] else "firestore"
        own = [each for each in self.namespaces if each.domain == entry["domain"] and each.source == source]
        return min(own, key=lambda each: each.ttl, default=None)

    def tasks_of(self, entry: Entry) -> list[Entry]:
        """Return the task functions that a schedule makes tasks for; none for one that may for all (repairs)."""
        tasks = self.of("task")
        targets = {need.removeprefix(ENQUEUE) for need in entry["needs"] if need.startswith(ENQUEUE)}
        return [] if len(targets) == len(tasks) else [task for task in tasks if task["name"] in targets]


def load_platform(manifest: Path = MANIFEST_FILE, entities: Path = ENTITIES_FILE) -> Platform:
    """Read the manifest and the entities."""
    functions = checked_manifest(manifest)
    declared: list[dict[str, Any]] = json.loads(entities.read_text(encoding="utf-8"))["entities"]
    return Platform(
        functions=tuple(functions),
        namespaces=tuple(_namespaces(declared)),
        tables=sum("{tenant_id}" in each["table"]["dataset"] for each in declared if each["table"]),
        below_tenants=sum(each["location"] == "tenant" for each in declared) / max(1, len(declared)),
    )


def _namespaces(declared: list[dict[str, Any]]) -> Iterable[Namespace]:
    found: dict[str, tuple[str, Mapping[str, Any], int]] = {}
    cached = [each for each in declared if each["caches"]]
    for entity in cached:
        for cache in entity["caches"]:
            _, _, count = found.get(cache["name"], ("", {}, 0))
            found[cache["name"]] = (entity["domain"], cache, count + 1)
    for name, (domain, cache, count) in sorted(found.items()):
        among = sum(each["domain"] == domain for each in cached)
        yield Namespace(name=name, domain=domain, ttl=cache["ttl"], source=cache["source"], share=count / among)


@functools.cache
def runs_a_month(cron: str, time_zone: str) -> float:
    """Return how often a schedule fires in an average month, counted over the 366 days from 1 January 2028."""
    schedule, zone = parse_cron(cron), zoneinfo.ZoneInfo(time_zone)
    start = datetime(2028, 1, 1, tzinfo=UTC)
    hits = sum(
        sum(schedule.matches(moment.replace(minute=minute)) for minute in sorted(schedule.minutes))
        for hour in range(366 * 24)
        if (moment := (start + timedelta(hours=hour)).astimezone(zone)).hour in schedule.hours
    )
    return hits / 366 * DAYS


def cpu(entry: Entry) -> float:
    """Return the processors of a function's instance."""
    return cpu_of(entry["memory"])
