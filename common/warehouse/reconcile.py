"""Reconciliation: Firestore and the warehouse compared by tenant, entity and day, and the differences repaired.

The day is that of a document's last change, which both sides know. Both sums are independent of order: per day the
number of rows and two 32-bit lanes of a hash over key and sequence. Only days that differ are looked at row by row.
Changes of the last minutes are on their way and count as neither right nor wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic import Field

from common.answers import Answer
from common.clients.firestore import firestore_client
from common.context import Context
from common.errors import Conflict
from common.events import Change, Envelope, EventMetadata, event_id_of, moment_of, sequence_of
from common.firestore_calls import bounded, translated
from common.held_work import resting
from common.identifiers import derived_uuid
from common.jobs.models import Job, JobTask, JobView
from common.jobs.run import JobRun, run_job
from common.jobs.service import start_job
from common.model import Model
from common.registry import EntityRecord, TableRecord
from common.store import Work, transact
from common.tombstones import tombstone_path
from common.warehouse import source
from common.warehouse.log import append
from common.warehouse.query import rows as query_rows
from common.warehouse.rows import LogRow, row_of
from common.warehouse.sync import wake
from common.warehouse.tables import Relations, relations

RUN = "platform-reconcile-run"
GRACE = timedelta(minutes=5)
"""How long a change may be on its way."""
PATIENCE = 120.0


class ReconciliationRequest(Model):
    """What to reconcile.

    Attributes:
        tenant_id: Whose data.
        repair: Whether to repair what differs; otherwise it is only counted.
    """

    tenant_id: str = Field(pattern=r"^[a-z0-9][a-z0-9_]{1,62}$", examples=["demo"])
    repair: bool = Field(default=False, examples=[True])


@dataclass(kw_only=True, slots=True)
class Report:
    """What a reconciliation of one entity found.

    Attributes:
        documents: Documents read in Firestore, second looks included; each is a billed read.
        days: Days on which either side has something.
        differing_days: Days whose numbers or checksums differ.
        missing: Documents without a row.
        stale: Documents whose row is of an older version.
        orphaned: Rows without a document.
        underway: Differences of the last minutes.
        ahead: Rows of a version that Firestore does not have (a restored database): reported, never repaired.
        repaired: Rows appended.
        refused: Documents that do not fit the table.
    """

    documents: int = 0
    days: int = 0
    differing_days: int = 0
    missing: int = 0
    stale: int = 0
    orphaned: int = 0
    underway: int = 0
    ahead: int = 0
    repaired: int = 0
    refused: int = 0


@dataclass(slots=True)
class Digest:
    """Number and checksum of the rows of a day."""

    number: int = 0
    low: int = 0
    high: int = 0

    def add(self, key: str, sequence: int) -> None:
        """Take one row in."""
        text = hashlib.md5(f"{key}:{sequence}".encode(), usedforsecurity=False).hexdigest()
        self.number += 1
        self.low += int(text[:8], 16)
        self.high += int(text[8:16], 16)


@dataclass(frozen=True, slots=True)
class Held:
    """A row as the warehouse holds it."""

    sequence: int
    partition: object = None


@dataclass(slots=True)
class Differences:
    """What to do about the days that differ."""

    documents: list[str] = field(default_factory=list)
    orphans: dict[str, Held] = field(default_factory=dict)


def start_daily(context: Context) -> int:
    """Start the day's reconciliation of every tenant that works; return how many. Repeating it starts none twice."""
    today, started = datetime.now(UTC).date().isoformat(), 0
    rests = resting(context)
    for tenant_id in source.tenant_ids(context):
        if tenant_id in rests:
            continue
        own = context.for_tenant(tenant_id)
        try:
            _start(own, repair=True, name=today)
        except Conflict:
            continue
        started += 1
    return started


def request(context: Context, body: ReconciliationRequest) -> Answer[JobView]:
    """Start a reconciliation (202).

    Raises:
        NotFound: ``tenant_not_found``.
    """
    own = context.for_tenant(body.tenant_id)
    source.require_tenant(own, body.tenant_id)
    return Answer(content=_start(own, repair=body.repair).view(), status=202)


def _start(context: Context, *, repair: bool, name: str | None = None) -> Job:
    job_id = None if name is None else derived_uuid("reconciliation", context.tenant_id, name)

    def begin(work: Work) -> Job:
        parameters = {"repair": repair}
        return start_job(
            work, type="reconciliation", function=RUN, parameters=parameters, unit="entities", job_id=job_id
        )

    return transact(context, begin)


def run(context: Context, task: JobTask) -> None:
    """Do the work of a reconciliation job, entity by entity."""
    run_job(context, task, _work)


def _work(job: JobRun) -> Mapping[str, Any]:
    reports: dict[str, Any] = dict((job.checkpoint or {}).get("reports") or {})
    known = source.warehouse_entities()
    for entity in known:
        if entity.name in reports:
            continue
        reports[entity.name] = asdict(reconcile(job.context, entity, repair=bool(job.parameters.get("repair"))))
        job.progress(len(reports), total=len(known), checkpoint={"reports": reports})
    reads = sum(report["documents"] for report in reports.values())
    return {"entities": reports, "reads": reads, "cost_usd": round(reads * source.READ_PRICE_USD, 6)}


def reconcile(
    context: Context, entity: EntityRecord, *, repair: bool, now: datetime | None = None, grace: timedelta = GRACE
) -> Report:
    """Compare one entity of the context's tenant, and repair it if asked.

    Args:
        context: Circumstances.
        entity: Which entity.
        repair: Whether to append what is missing.
        now: The moment Firestore is read at; at most an hour ago.
        grace: How long a change may be on its way.

    Raises:
        Unavailable: Firestore or BigQuery does not answer.
    """
    found = relations(context.clients.settings.project, context.tenant_id, entity)
    read_time = now or source.read_time_now(context)
    until = sequence_of(read_time - grace, "updated")
    report = Report()
    stored: dict[date, Digest] = {}
    for key, sequence, _ in _stored(context, entity, found.table, read_time, report):
        if sequence <= until:
            stored.setdefault(moment_of(sequence).date(), Digest()).add(key, sequence)
    held = _held_digests(context, found, until)
    differing = sorted(day for day in {*stored, *held} if stored.get(day) != held.get(day))
    report.days, report.differing_days = len({*stored, *held}), len(differing)
    if differing:
        differences = _compare(context, found, read_time, until, differing, report)
        if repair:
            _repair(context, found, differences, report)
    return report


def _stored(
    context: Context, entity: EntityRecord, table: TableRecord, read_time: datetime, report: Report
) -> Iterator[tuple[str, int, str]]:
    """Yield key, sequence and path of every document."""
    for page in source.pages(context, entity, read_time=read_time, fields=[table.key]):
        report.documents += len(page)
        for snapshot in page:
            key = (snapshot.to_dict() or {}).get(table.key)
            # A document without its key cannot be in the warehouse; under its own name it is counted as missing.
            name = key if isinstance(key, str) else snapshot.id
            yield name, sequence_of(snapshot.update_time, "updated"), snapshot.reference.path


def _held_digests(context: Context, found: Relations, until: int) -> dict[date, Digest]:
    hashed = f"TO_HEX(MD5(CONCAT({found.table.key}, ':', CAST(change_sequence AS STRING))))"
    lanes = [f"SUM(CAST(CONCAT('0x', SUBSTR({hashed}, {start}, 8)) AS INT64))" for start in (1, 9)]
    sql = f"""\
SELECT DATE(TIMESTAMP_MICROS(change_sequence)) AS day, COUNT(*) AS number, {lanes[0]} AS low, {lanes[1]} AS high
FROM {found.view}
WHERE change_sequence <= @until
GROUP BY day"""  # noqa: S608 - identifiers are validated
    answer = query_rows(context, sql, {"until": until}, timeout=PATIENCE)
    return {row["day"]: Digest(int(row["number"]), int(row["low"]), int(row["high"])) for row in answer}


def _compare(
    context: Context, found: Relations, read_time: datetime, until: int, days: Sequence[date], report: Report
) -> Differences:
    held = _held_rows(context, found, until, days)
    differences, wanted = Differences(), set(days)
    for key, sequence, path in _stored(context, found.entity, found.table, read_time, report):
        row = held.pop(key, None)
        if row is not None and row.sequence == sequence:
            continue
        if sequence > until or (row is not None and row.sequence > until):
            report.underway += 1
        elif row is None and moment_of(sequence).date() in wanted:
            report.missing += 1
            differences.documents.append(path)
        elif row is not None and row.sequence < sequence:
            report.stale += 1
            differences.documents.append(path)
        elif row is not None:
            report.ahead += 1
    for key, row in held.items():
        if row.sequence > until:
            report.underway += 1
        else:
            report.orphaned += 1
            differences.orphans[key] = row
    return differences


def _held_rows(context: Context, found: Relations, until: int, days: Sequence[date]) -> dict[str, Held]:
    key, partition = found.table.key, found.table.partition if found.table.immutable else None
    columns = ", ".join([f"{key} AS row_key", "change_sequence", *([f"{partition} AS day"] if partition else [])])
    sql = f"""\
SELECT {columns} FROM {found.view}
WHERE change_sequence > @until OR DATE(TIMESTAMP_MICROS(change_sequence)) IN UNNEST(@days)"""  # noqa: S608 - as above
    answer = query_rows(context, sql, {"until": until, "days": list(days)}, timeout=PATIENCE)
    return {row["row_key"]: Held(int(row["change_sequence"]), row.get("day")) for row in answer}


def _repair(context: Context, found: Relations, differences: Differences, report: Report) -> None:
    client = context.clients.get(firestore_client)
    for start in range(0, len(differences.documents), source.PAGE):
        references = [client.document(path) for path in differences.documents[start : start + source.PAGE]]
        with translated():
            snapshots = [each for each in client.get_all(references, **bounded(context.deadline, 60)) if each.exists]
        report.documents += len(references)
        prepared = source.prepare(found.entity, snapshots)
        report.refused += len(prepared.refused)
        _append(context, found, prepared.rows, report)
    burials = [_burial(context, found, key, row, report) for key, row in differences.orphans.items()]
    _append(context, found, [row for row in burials if row is not None], report)


def _append(context: Context, found: Relations, rows: list[LogRow], report: Report) -> None:
    if rows:
        declined = append(context, found.log, rows)
        report.refused += len(declined)
        report.repaired += len(rows) - len(declined)
        wake(context, found.entity)


def _burial(context: Context, found: Relations, key: str, held: Held, report: Report) -> LogRow | None:
    """Return the deletion of a row whose document is gone; None where the document is there after all.

    The deletion's sequence is what the relay would have given it: one microsecond after the deleted version, which the
    tombstone names. Without a tombstone it is one microsecond after the row.
    """
    path = _document_path(context, found.entity, key)
    client = context.clients.get(firestore_client)
    with translated():
        references = [client.document(path), client.document(tombstone_path(path))]
        answers = list(client.get_all(references, **bounded(context.deadline)))
    report.documents += 1
    existing = {snapshot.reference.path: snapshot.to_dict() for snapshot in answers if snapshot.exists}
    if path in existing:
        report.orphaned -= 1
        report.underway += 1
        return None
    deleted = (existing.get(tombstone_path(path)) or {}).get("deleted_version")
    known = sequence_of(deleted, "deleted") if isinstance(deleted, datetime) else 0
    partition = found.table.partition if found.table.immutable else None
    kept = {} if partition is None else {partition: _text(held.partition)}
    return row_of(
        found.table, _deletion(context, found, path, {found.table.key: key, **kept}, max(known, held.sequence + 1))
    )


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def _document_path(context: Context, entity: EntityRecord, key: str) -> str:
    """Return where the document of a row is: rows are named by their document's id."""
    parent = f"tenants/{context.tenant_id}/" if entity.location == "tenant" else ""
    return f"{parent}{entity.collection}/{key}"


def _deletion(context: Context, found: Relations, path: str, data: Mapping[str, Any], sequence: int) -> Envelope:
    return Envelope(
        event_type=f"{found.entity.name}-deleted",
        event_id=event_id_of(path, sequence),
        timestamp=moment_of(sequence),
        tenant_id=context.tenant_id,
        source_service=found.entity.domain,
        schema_version=found.entity.schema_version,
        payload=Change(
            entity=found.entity.name,
            document=path,
            document_id=path.rpartition("/")[2],
            operation="deleted",
            sequence=sequence,
            data=dict(data),
        ),
        metadata=EventMetadata(correlation_id=context.correlation_id or context.request_id),
    )
