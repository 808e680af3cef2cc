"""Run an export: read page by page into parts that last, then write the file from the parts in one stream.

The parts hold what was read, so a run that crashed goes on after the last part; writing the file reads nothing but
parts, and can be repeated. Where the source can be read at a moment of the past, all pages are of the moment the job
began: a snapshot, however long the reading takes and whatever changes meanwhile. Firestore answers reads of the past
for an hour; an export that takes longer goes on at a later moment and says ``rolling``.

Equal data gives equal bytes: pages come in the order of ids, and nothing in a file depends on when it was written.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from common import objects
from common.dispositions import attachment, file_name
from common.errors import Unprocessable
from common.exports import csv_file, xlsx_file
from common.exports.columns import Value, cells_of
from common.exports.models import ExportResult, Layout
from common.exports.service import file_path, parts_folder
from common.exports.source import Reading, Source
from common.jobs.run import JobRun
from common.model import rfc3339
from common.warehouse.source import READ_TIME_VALID, read_time_now

PART_ROWS = 2000
MOST_ROWS = 5_000_000
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
LINES = "application/jsonl"
SIGN_OF_LIFE = 5000
"""Rows between two signs of life while the file is written."""


@dataclass(slots=True)
class _State:
    """Where an export is; what the job's checkpoint holds."""

    read_time: datetime
    since: datetime
    parts: int = 0
    rows: int = 0
    after: Any = None
    complete: bool = False
    result: dict[str, Any] | None = None

    def checkpoint(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class _Measured:
    """Bytes on their way, counted and digested."""

    chunks: Iterable[bytes]
    size: int = 0
    digest: Any = None

    def __iter__(self) -> Iterator[bytes]:
        self.digest = hashlib.sha256()
        for chunk in self.chunks:
            self.digest.update(chunk)
            self.size += len(chunk)
            yield chunk


def run(job: JobRun, sources: Mapping[str, Source]) -> Mapping[str, Any]:
    """Export the table of a job; return an ``ExportResult``.

    Args:
        job: The job, with ``kind``, ``filters`` and ``layout`` among its parameters.
        sources: What can be exported, by kind.

    Raises:
        Unprocessable: ``export_too_large``.
    """
    state = _begun(job)
    source = sources[job.parameters["kind"]]
    if not state.complete:
        _read(job, source, state)
    if state.result is None:
        state.result = _written(job, source, state).model_dump(mode="json")
        job.progress(state.rows, total=state.rows, checkpoint=state.checkpoint(), flush=True)
    # Only now: until the result is kept, the file may have to be written again from the parts.
    for number in range(state.parts):
        objects.delete(job.context, job.context.clients.settings.report_bucket, _part(job, number))
    return state.result


def _begun(job: JobRun) -> _State:
    if job.checkpoint is not None:
        return _State(**job.checkpoint)
    now = read_time_now(job.context)
    return _State(read_time=now, since=now)


def _read(job: JobRun, source: Source, state: _State) -> None:
    """Read what is left to be read into parts."""
    if datetime.now(UTC) - state.read_time > READ_TIME_VALID:
        state.read_time = read_time_now(job.context)
    reading = Reading(
        context=job.context, filters=job.parameters["filters"], read_time=state.read_time, after=state.after
    )
    lines: list[str] = []
    for page in source.pages(reading):
        lines += [json.dumps(cells_of(row, source.columns), ensure_ascii=False) for row in page.rows]
        state.after = page.cursor
        if len(lines) >= PART_ROWS:
            _keep(job, state, lines)
            lines = []
        else:
            job.progress(state.rows)
    state.complete = True
    _keep(job, state, lines)


def _keep(job: JobRun, state: _State, lines: list[str]) -> None:
    """Store a part, then move the checkpoint past it; stored again after a crash it is replaced."""
    if lines:
        bucket = job.context.clients.settings.report_bucket
        objects.write(job.context, bucket, _part(job, state.parts), "\n".join(lines).encode("utf-8", "replace"), LINES)
        state.parts += 1
        state.rows += len(lines)
    if state.rows > MOST_ROWS:
        raise Unprocessable("export_too_large", f"More than {MOST_ROWS} rows; narrow it down with filters.")
    job.progress(state.rows, checkpoint=state.checkpoint())


def _written(job: JobRun, source: Source, state: _State) -> ExportResult:
    """Write the file from the parts."""
    kind, layout = job.parameters["kind"], Layout.model_validate(job.parameters["layout"])
    filename = file_name(layout.name or f"{kind}-{state.since:%Y-%m-%d}", layout.format, otherwise=kind)
    told = xlsx_file.Told()
    rows = _rows(job, state)
    if layout.format == "csv":
        measured = _Measured(csv_file.encoded(source.columns, rows, layout))
    else:
        measured = _Measured(xlsx_file.encoded(source.columns, rows, kind, told))
    objects.upload(
        job.context,
        job.context.clients.settings.report_bucket,
        file_path(job.job.job_id, layout.format),
        measured,
        content_type=CONTENT_TYPES[layout.format],
        disposition=attachment(filename),
    )
    snapshot = source.pinned and state.read_time == state.since
    return ExportResult(
        kind=kind,
        format=layout.format,
        filename=filename,
        rows=state.rows,
        sheets=max(told.sheets, 1),
        shortened=told.shortened,
        size=measured.size,
        sha256=measured.digest.hexdigest(),
        as_of=datetime.fromisoformat(rfc3339(state.since)),
        consistency="snapshot" if snapshot else "rolling",
    )


def _rows(job: JobRun, state: _State) -> Iterator[list[Value]]:
    """Yield the rows of all parts, with a sign of life now and then."""
    bucket = job.context.clients.settings.report_bucket
    done = itertools.count(1)
    for number in range(state.parts):
        chunks = objects.stream(job.context, bucket, _part(job, number))
        if chunks is None:
            raise Unprocessable("export_part_missing", f"Part {number} of the export is gone; begin it again.")
        for line in objects.opened(chunks):
            yield json.loads(line)
            if next(done) % SIGN_OF_LIFE == 0:
                job.progress(state.rows)


def _part(job: JobRun, number: int) -> str:
    return f"{parts_folder(job.job.job_id)}/{number:08d}.jsonl"
