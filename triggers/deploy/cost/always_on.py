"""The same load on document 004's services: as it writes them (scaled to zero) and always on, to compare with.

Document 004 asks Redis, then BigQuery; it has no path on which Firestore answers a read. Requests, events and times to
live are taken from our own model, so what differs is how the work is deployed and which store answers.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from triggers.deploy.cost.bill import Bill, bill_for
from triggers.deploy.cost.load import Load
from triggers.deploy.cost.platform import DAYS, SECONDS, Platform
from triggers.deploy.cost.queues import instances
from triggers.deploy.cost.sheet import Service, Services, Sheet
from triggers.deploy.cost.usage import KIB, TIB, Usage, miss_rate, shared, usage_of, working_seconds

KEPT = frozenset(
    {
        "balancer_data", "balancer_hour", "armor_policy", "armor_request", "bigquery_storage", "bigquery_stream",
        "connector", "egress", "firestore_backup", "firestore_delete", "firestore_storage", "firestore_write",
        "gateway_call", "object_storage", "pubsub", "redis",
    }
)  # fmt: skip
"""What both deployments use alike."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One way to deploy document 004.

    Attributes:
        name: What it is.
        services: Number of services.
        bill: Its bill.
    """

    name: str
    services: int
    bill: Bill


def comparisons(load: Load, sheet: Sheet, platform: Platform, services: Services) -> list[Comparison]:
    """Return the bills of document 004's services for the same load."""
    ours = [service for service in services.services if service.domain]
    every = list(services.services)
    chosen = (
        (f"004, its {len(ours)} services that do this work, scaled to zero", ours, False),
        (f"004, its {len(ours)} services that do this work, always on", ours, True),
        (f"004, all {len(every)} services, always on", every, True),
    )
    return [
        Comparison(name=name, services=len(kept), bill=_bill(load, sheet, platform, services, kept, warm))
        for name, kept, warm in chosen
    ]


def _bill(load: Load, sheet: Sheet, platform: Platform, services: Services, kept: list[Service], warm: bool) -> Bill:
    usage = usage_of(load if load.redis_gb else replace(load, redis_gb=1), sheet, platform)  # 004 has Redis
    items: dict[str, float] = defaultdict(float, {name: usage.items[name] for name in KEPT})
    _reads(items, load, sheet, platform)
    requests = _requests(usage, platform)
    _images(items, kept, load, sheet)
    for service in kept:
        share = sum(each.domain == service.domain for each in kept)
        seconds, count = requests.get(service.domain, (0.0, 0.0)) if service.domain else (0.0, 0.0)
        _service(items, service, services, sheet, seconds / share, count / share, warm)
    return bill_for(items, sheet, usage)


def _reads(items: dict[str, float], load: Load, sheet: Sheet, platform: Platform) -> None:
    """Every miss of every read asks BigQuery; a transaction still reads its documents."""
    month, within = load.reads_per_day * DAYS, working_seconds(sheet)
    cached = replace(load, redis_gb=load.redis_gb or 1)
    missed = 0.0
    for entry, amount in shared(platform.readers, load, month):
        own = [each for each in platform.namespaces if each.domain == entry["domain"]]
        namespace = platform.namespace_of(entry) or min(own, key=lambda each: each.ttl, default=None)
        if namespace is None or not load.tenants:
            missed += amount
            continue
        rate = amount / load.tenants / within
        missed += min(amount, miss_rate(namespace, cached, sheet, platform, rate) * load.tenants * within)
    items["bigquery_query"] += missed * sheet["tables_per_read_004"] * sheet["bytes_per_table"] / TIB
    items["firestore_read"] += load.writes_per_day * DAYS * sheet["reads_per_write"] / 1e5


def _requests(usage: Usage, platform: Platform) -> dict[str, tuple[float, float]]:
    """Return seconds of work and requests by domain, without what only a function-sized deployment does."""
    found: dict[str, tuple[float, float]] = {}
    busy: dict[str, float] = defaultdict(float)
    for (name, _), seconds in usage.busy.items():
        busy[name] += seconds
    for entry in platform.functions:
        if entry["kind"] == "document" or entry in platform.health:
            continue
        seconds, count = found.get(entry["domain"], (0.0, 0.0))
        found[entry["domain"]] = (seconds + busy[entry["name"]], count + usage.requests.get(entry["name"], 0.0))
    return found


def _service(
    items: dict[str, float], service: Service, found: Services, sheet: Sheet, seconds: float, count: float, warm: bool
) -> None:
    polls = sheet["polls_per_minute"] * SECONDS / 60
    concurrency = max(1, int(found.concurrency * sheet["utilisation_004"]))
    within = working_seconds(sheet)
    busy = instances(seconds / within, concurrency) * within
    memory = service.memory_mib / KIB
    if warm:
        running = SECONDS + max(0.0, busy - within)
        items["service_cpu"] += running * service.cpu
        items["service_memory"] += running * memory
        return
    busy += polls * sheet["seconds_probe"]
    items["function_cpu"] += busy * service.cpu
    items["function_memory"] += busy * memory
    items["function_invocation"] += (count + polls) / 1e6


def _images(items: dict[str, float], kept: list[Service], load: Load, sheet: Sheet) -> None:
    items["image_storage"] += len(kept) * sheet["images_kept"] * sheet["image_gib"]
    items["build_minute"] += load.deployments * len(kept) * sheet["builds_share"] * sheet["build_minutes"]
    items["secret_version"] += 1
    items["scheduler_job"] += 1
