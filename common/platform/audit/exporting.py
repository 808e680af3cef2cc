"""The export of the trail: one row for each field of each change, newest first."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from common import security_events
from common.answers import Answer
from common.context import Context
from common.exports import run as exports
from common.exports import service
from common.exports.columns import Column
from common.exports.models import ExportLink, Layout
from common.exports.source import Page, Reading, Source
from common.jobs.models import JobView
from common.jobs.run import JobRun
from common.model import Model, Timestamp
from common.platform.audit.entities import AUDIT_ENTRIES
from common.platform.audit.models import AuditEntry, AuditQuery, Operation, SideView
from common.platform.audit.search import ORDER, asked_of, filters_of, told_of, view
from common.store import Repository

TYPE = "audit_export"
FUNCTION = "platform-audit-export-run"
PAGE = 500
"""Entries read at once."""
EXPORTED = "audit_exported"

COLUMNS = (
    Column(name="at", kind="timestamp"),
    *(Column(name=name) for name in ("entity", "document_id", "operation", "code", "actor_kind", "actor_id")),
    *(Column(name=name) for name in ("function", "request_id", "field", "old_state", "old", "new_state", "new")),
    *(Column(name=name) for name in ("entry_id", "reverts")),
    Column(name="sequence", kind="integer"),
)


class AuditExportFilters(Model):
    """Which entries; all conditions together."""

    entity: str | None = Field(default=None, max_length=64, examples=["keyword"])
    document_id: str | None = Field(default=None, min_length=1, max_length=1500, examples=["0198c5f2"])
    actor_id: str | None = Field(default=None, min_length=1, max_length=256, examples=["4fYQ7p2c"])
    operation: Operation | None = Field(default=None, examples=["updated"])
    from_: Timestamp | None = Field(default=None, alias="from", examples=["2026-01-01T00:00:00Z"])
    to: Timestamp | None = Field(
        default=None, description="Before; now, unless given.", examples=["2026-02-01T00:00:00Z"]
    )

    def query(self) -> AuditQuery:
        """Return the search that finds these entries; it ends now at the latest, so that the export has an end."""
        given = self.model_dump(by_alias=True)
        return AuditQuery.model_validate({**given, "to": self.to or datetime.now(UTC)})


class AuditExportRequest(Layout):
    """What to export of the trail, and how to write it."""

    filters: AuditExportFilters = Field(default_factory=AuditExportFilters, examples=[{"entity": "keyword"}])


def start(context: Context, body: AuditExportRequest) -> Answer[JobView]:
    """Begin an export; answers 202 with the job."""
    layout = Layout(**{name: getattr(body, name) for name in Layout.model_fields})
    asked = asked_of(body.filters.query())
    answer = service.start(context, type=TYPE, function=FUNCTION, kind="audit", filters=asked, layout=layout)
    subjects, details = told_of(asked)
    security_events.record(context, EXPORTED, subjects={**subjects, "job_id": answer.content.job_id}, details=details)
    return answer


def link(context: Context, export_id: uuid.UUID) -> ExportLink:
    """Return a link to the file of an export; see ``common.exports.service.link``."""
    return service.link(context, export_id, TYPE)


def run(job: JobRun) -> Mapping[str, Any]:
    """Write the file of an export."""
    return exports.run(job, {"audit": Source(columns=COLUMNS, pages=_pages)})


def _pages(reading: Reading) -> Iterator[Page]:
    filters = filters_of(AuditQuery.model_validate(reading.filters))
    trail = Repository(AUDIT_ENTRIES, reading.context)
    after = reading.after
    while True:
        page = trail.page(filters, ORDER, limit=PAGE, cursor=after)
        rows = [row for entry in page.items for row in rows_of(entry)]
        if page.next_cursor is None:
            yield Page(rows=rows, cursor=after)
            return
        after = page.next_cursor
        yield Page(rows=rows, cursor=after)


def rows_of(entry: AuditEntry) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of an entry: one a field, or one without a field."""
    told = view(entry)
    common = {column.name: getattr(told, column.name, None) for column in COLUMNS}
    if not told.changes:
        yield common
    for change in told.changes:
        old, new = _cells("old", change.old), _cells("new", change.new)
        yield {**common, "field": change.field, **old, **new}


def _cells(name: str, side: SideView | None) -> dict[str, Any]:
    return {name: None if side is None else side.value, f"{name}_state": None if side is None else side.state}
