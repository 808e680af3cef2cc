"""What a month's load makes the platform use: requests, seconds, documents, bytes, by item of the price sheet."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from triggers.deploy.cost.load import Load
from triggers.deploy.cost.platform import DAYS, HOURS, SECONDS, Namespace, Platform, cpu, runs_a_month
from triggers.deploy.cost.queues import instances, lifetime, misses, room_for
from triggers.deploy.cost.sheet import Sheet
from triggers.manifest import Entry

GIB = 2**30
TIB = 2**40
GB = 10**9
KIB = 1024
MILLION = 1e6
HUNDRED_THOUSAND = 1e5
AUDIT = "platform-audit-"
"""Beginning of the names of the functions of the audit trail."""
STEP = 0.1
"""Seconds that running time is rounded up to."""
SECRETS = ("XYNERGY_CURSOR_KEY", "XYNERGY_OPERATOR_KEYS")
"""Secrets of the platform's mechanisms; every function's own are in the manifest."""


@dataclass
class Usage:
    """What is used, and by whom.

    Attributes:
        items: Quantity by item, in the units of the price sheet.
        requests: Requests a month by function.
        hit_rates: Share of reads that the cache answers, by namespace.
        causes: Quantity by function, for the items that functions cause one by one.
        warnings: What the model noticed.
        busy: Seconds of work by function and the seconds of the month that the work falls into.
    """

    items: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    requests: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    hit_rates: dict[str, float] = field(default_factory=dict)
    causes: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(float)))
    warnings: list[str] = field(default_factory=list)
    busy: dict[tuple[str, float], float] = field(default_factory=lambda: defaultdict(float))

    def work(self, entry: Entry, requests: float, seconds: float, *, within: float = SECONDS) -> None:
        """Record requests to a function that take ``seconds`` each and come at random ``within`` so many seconds."""
        self.requests[entry["name"]] += requests
        self.busy[entry["name"], within] += requests * max(STEP, math.ceil(seconds / STEP - 1e-9) * STEP)

    def caused(self, item: str, entry: Entry, quantity: float) -> None:
        """Record a quantity that one function causes."""
        self.items[item] += quantity
        self.causes[item][entry["name"]] += quantity


def usage_of(load: Load, sheet: Sheet, platform: Platform) -> Usage:
    """Return what a load uses."""
    usage = Usage()
    _reads(usage, load, sheet, platform)
    _writes(usage, load, sheet, platform)
    _schedules(usage, load, sheet, platform)
    _probes(usage, sheet, platform)
    _instances(usage, load, platform)
    _stores(usage, load, sheet)
    _fixed(usage, load, sheet, platform)
    _front_door(usage, load, sheet)
    return usage


def working_seconds(sheet: Sheet) -> float:
    """Return the seconds of a month in which people work."""
    return max(1.0, min(24.0, sheet["active_hours"])) * 3600 * DAYS


def shared(entries: Sequence[Entry], load: Load, amount: float) -> list[tuple[Entry, float]]:
    """Return the part of each function, by weight."""
    weights = [load.shares.get(entry["name"], 1.0) for entry in entries]
    total = sum(weights)
    return [(entry, amount * weight / total) for entry, weight in zip(entries, weights, strict=True)] if total else []


def changes_a_month(load: Load, sheet: Sheet) -> float:
    """Return the documents that change in a month."""
    return load.writes_per_day * DAYS * sheet["documents_per_write"]


def miss_rate(namespace: Namespace, load: Load, sheet: Sheet, platform: Platform, rate: float) -> float:
    """Return the reads a second of one tenant that a namespace does not answer, of ``rate`` reads a second.

    Without Redis every read computes. With it an entry is served until its time is over, a write of the tenant makes
    its namespace stale, or a full cache pushes it out (Che's approximation).
    """
    if load.redis_gb == 0 or load.tenants == 0:
        return rate
    writes = changes_a_month(load, sheet) * namespace.share / load.tenants / working_seconds(sheet)
    places = load.redis_gb * GIB * sheet["redis_share"] / max(1.0, sheet["answer_bytes"])
    capacity = places / len(platform.namespaces) / load.tenants
    room = room_for(rate, load.distinct_reads, sheet["zipf"], capacity)
    return misses(rate, load.distinct_reads, sheet["zipf"], lifetime(namespace.ttl, writes, room))


def _reads(usage: Usage, load: Load, sheet: Sheet, platform: Platform) -> None:
    month, within = load.reads_per_day * DAYS, working_seconds(sheet)
    for entry, amount in shared(platform.readers, load, month):
        namespace = platform.namespace_of(entry)
        if namespace is None or amount == 0:
            read = _read_warehouse if "bigquery:read" in entry["needs"] else _read_documents
            read(usage, entry, sheet, amount, within)
            continue
        rate = amount / load.tenants / within
        missed = min(amount, miss_rate(namespace, load, sheet, platform, rate) * load.tenants * within)
        usage.hit_rates[namespace.name] = 0.0 if missed >= amount * (1 - 1e-12) else 1 - missed / amount
        usage.work(entry, amount - missed, sheet["seconds_hit"], within=within)
        read = _read_documents if namespace.source == "firestore" else _read_warehouse
        read(usage, entry, sheet, missed, within)
    usage.items["egress"] += month * sheet["answer_bytes"] / GIB


def _read_documents(usage: Usage, entry: Entry, sheet: Sheet, amount: float, within: float) -> None:
    one = entry["returns"].startswith("Record[")
    usage.work(entry, amount, sheet["seconds_document"], within=within)
    usage.items["firestore_read"] += amount * (1 if one else sheet["documents_per_list"]) / HUNDRED_THOUSAND


def _read_warehouse(usage: Usage, entry: Entry, sheet: Sheet, amount: float, within: float) -> None:
    usage.work(entry, amount, sheet["seconds_warehouse"], within=within)
    usage.caused("bigquery_query", entry, amount * sheet["tables_per_read"] * sheet["bytes_per_table"] / TIB)


def _writes(usage: Usage, load: Load, sheet: Sheet, platform: Platform) -> None:
    month, within = load.writes_per_day * DAYS, working_seconds(sheet)
    records = sheet["idempotent_share"]
    usage.items["firestore_read"] += month * sheet["reads_per_write"] / HUNDRED_THOUSAND
    usage.items["firestore_write"] += month * (sheet["documents_per_write"] + records) / HUNDRED_THOUSAND
    usage.items["firestore_delete"] += month * records / HUNDRED_THOUSAND
    usage.items["egress"] += month * KIB / GIB
    changed: dict[str, float] = defaultdict(float)
    for entry, amount in shared(platform.writers, load, month):
        usage.work(entry, amount, sheet["seconds_write"], within=within)
        changed[entry["domain"]] += amount * sheet["documents_per_write"]
    _relay(usage, sheet, platform, sum(changed.values()))
    for domain, changes in changed.items():
        _consume(usage, sheet, platform, domain, changes)
    if any(entry["name"].startswith(AUDIT) for entry in platform.of("message")):
        _audit(usage, load, sheet, platform, sum(changed.values()))


def _relay(usage: Usage, sheet: Sheet, platform: Platform, changes: float) -> None:
    """Each change is one event of Eventarc, which Pub/Sub carries, and one event of ours."""
    relays = platform.of("document")
    below = [entry for entry in relays if entry["path"].startswith("tenants/")]
    for entries, share in ((below, platform.below_tenants), ([e for e in relays if e not in below], 1)):
        amount = changes * (share if entries is below else 1 - platform.below_tenants * bool(below))
        for entry in entries:
            usage.work(entry, amount / len(entries), sheet["seconds_relay"], within=working_seconds(sheet))
            _messages(usage, amount / len(entries) * 2, sheet["document_bytes"])


def _consume(usage: Usage, sheet: Sheet, platform: Platform, domain: str, changes: float) -> None:
    _messages(usage, changes, sheet["event_bytes"])
    for entry in platform.of("message"):
        if entry["topic"] != f"{domain}-events":
            continue
        delivered = changes * (sheet["filtered_share"] if entry["filter"] else 1)
        usage.work(entry, delivered, sheet["seconds_consumer"], within=working_seconds(sheet))
        _messages(usage, delivered, sheet["event_bytes"])
        if "bigquery:write" in entry["needs"]:
            usage.items["bigquery_stream"] += delivered * max(KIB, sheet["row_bytes"]) / GB
            usage.items["firestore_write"] += delivered * sheet["marks_per_change"] / HUNDRED_THOUSAND
            usage.items["firestore_read"] += delivered * sheet["marks_per_change"] / HUNDRED_THOUSAND


def _audit(usage: Usage, load: Load, sheet: Sheet, platform: Platform, changes: float) -> None:
    """Each change is an entry and a pointer; the relay passes the entry over; every night entries are read again."""
    usage.items["firestore_write"] += 2 * changes / HUNDRED_THOUSAND
    usage.items["firestore_delete"] += 2 * changes / HUNDRED_THOUSAND  # the pointer when sealed, the entry in the end
    relays = [entry for entry in platform.of("document") if not entry["path"].startswith("tenants/")]
    for entry in relays:
        usage.work(entry, changes / len(relays), sheet["seconds_relay"], within=working_seconds(sheet))
    _messages(usage, changes, sheet["audit_entry_bytes"])
    entries = changes / DAYS * sheet["audit_days"]
    nightly = min(entries, load.tenants * sheet["audit_entries_whole"] + entries / sheet["audit_turns"])
    usage.items["firestore_read"] += nightly * DAYS / HUNDRED_THOUSAND
    stored = entries * sheet["audit_entry_bytes"] * sheet["index_factor"] / GIB
    usage.items["firestore_storage"] += 2 * stored
    usage.items["firestore_backup"] += stored * 30


def _messages(usage: Usage, count: float, size: float) -> None:
    usage.items["pubsub"] += count * max(KIB, size) / TIB


def _schedules(usage: Usage, load: Load, sheet: Sheet, platform: Platform) -> None:
    for entry in platform.of("schedule"):
        runs = runs_a_month(entry["cron"], entry["time_zone"])
        usage.work(entry, runs, sheet["seconds_schedule"])
        usage.items["firestore_read"] += runs / HUNDRED_THOUSAND
        for task in platform.tasks_of(entry):
            _tasks(usage, load, sheet, platform, task, runs)
    usage.items["scheduler_job"] += len(platform.of("schedule")) + 1  # and the export


def _tasks(usage: Usage, load: Load, sheet: Sheet, platform: Platform, task: Entry, runs: float) -> None:
    """A run makes a task for every tenant (or tenant's table, where it writes) that changed since the last."""
    if not load.tenants or not runs:
        return
    merging = "bigquery:write" in task["needs"]
    subjects = load.tenants * (max(1, platform.tables) if merging else 1)
    due = subjects * -math.expm1(-changes_a_month(load, sheet) / runs / subjects)
    made = due * runs
    usage.work(task, made, sheet["seconds_task"])
    usage.items["cloud_tasks"] += 2 * made / MILLION
    usage.items["firestore_write"] += made * sheet["documents_per_task"] / HUNDRED_THOUSAND
    usage.items["firestore_read"] += made * sheet["documents_per_task"] / HUNDRED_THOUSAND
    if not any(need.startswith("bigquery:") for need in task["needs"]):
        return
    rows = load.documents_per_tenant / (max(1, platform.tables) if merging else 1)
    tables = sheet["tables_per_merge"] if merging else sheet["tables_per_scan"]
    scanned = max(tables * sheet["bytes_per_table"], rows * sheet["row_bytes"])
    usage.caused("bigquery_query", task, made * scanned / TIB)


def _probes(usage: Usage, sheet: Sheet, platform: Platform) -> None:
    for entry in platform.health:
        usage.work(entry, sheet["probes_per_minute"] * SECONDS / 60, sheet["seconds_probe"])


def _instances(usage: Usage, load: Load, platform: Platform) -> None:
    """Running time of every function, and the idle time of instances that are kept warm."""
    for entry in platform.functions:
        busy, most = 0.0, 0.0
        for within in sorted(within for name, within in usage.busy if name == entry["name"]):
            mean = instances(usage.busy[entry["name"], within] / within, entry["concurrency"])
            busy, most = busy + mean * within, max(most, mean)
        warm = entry["min_instances"] * SECONDS if load.keep_warm else 0.0
        waiting, memory = max(0.0, warm - busy), entry["memory"] / KIB
        usage.caused("function_cpu", entry, busy * cpu(entry))
        usage.items["function_memory"] += busy * memory
        usage.items["function_idle_cpu"] += waiting * cpu(entry)
        usage.items["function_idle_memory"] += waiting * memory
        if most > entry["max_instances"]:
            wanted = f"{entry['name']} needs {most:.1f} instances on average and may have {entry['max_instances']}"
            usage.warnings.append(wanted)
    usage.items["function_invocation"] += sum(usage.requests.values()) / MILLION


def _stores(usage: Usage, load: Load, sheet: Sheet) -> None:
    documents = load.tenants * load.documents_per_tenant
    stored = documents * sheet["document_bytes"] * sheet["index_factor"] / GIB
    usage.items["firestore_storage"] += 2 * stored  # as much again for point-in-time recovery
    usage.items["firestore_backup"] += stored * 30  # daily, each kept for thirty days
    usage.items["firestore_read"] += documents * DAYS / 7 / HUNDRED_THOUSAND  # the weekly export reads every document
    usage.items["object_storage"] += documents * sheet["document_bytes"] / GIB * 90 / 7  # each kept for ninety days
    usage.items["bigquery_storage"] += 2 * documents * sheet["row_bytes"] / GB  # the log beside the table


def _fixed(usage: Usage, load: Load, sheet: Sheet, platform: Platform) -> None:
    """What exists is paid for, whoever comes."""
    count = len(platform.functions)
    secrets = {name for entry in platform.functions for name in entry["secrets"]} | set(SECRETS)
    if load.redis_gb:
        usage.items["redis"] += load.redis_gb * HOURS
        usage.items["connector"] += 2 * HOURS
        secrets.add("REDIS_URL")
    usage.items["secret_version"] += len(secrets)
    usage.items["image_storage"] += count * sheet["images_kept"] * sheet["image_gib"]
    usage.items["object_storage"] += count * sheet["bundle_gib"]
    usage.items["build_minute"] += load.deployments * count * sheet["builds_share"] * sheet["build_minutes"]
    usage.items["logging"] += sum(usage.requests.values()) * sheet["log_bytes"] / GIB


def _front_door(usage: Usage, load: Load, sheet: Sheet) -> None:
    calls = (load.reads_per_day + load.writes_per_day) * DAYS + sheet["probes_per_minute"] * SECONDS / 60
    if load.front_door == "gateway":
        usage.items["gateway_call"] += calls / MILLION
        return
    usage.items["balancer_hour"] += HOURS
    usage.items["balancer_data"] += calls * sheet["answer_bytes"] / GIB
    usage.items["armor_policy"] += 5 + 3  # a policy costs as much as five rules; ours has three
    usage.items["armor_request"] += calls / MILLION
