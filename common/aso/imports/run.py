"""Run an import: stream the file, bring its good rows in, keep the others with their reasons, by checkpoints.

A chunk of rows is stored before the checkpoint moves past it, and storing it again changes nothing; so a run that
crashed goes on at the last checkpoint, and two imports at once are safe. Rows of a chunk repeated after a crash count
as unchanged.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import IO, Any

from common import objects
from common.aso.imports import plain_csv, search_console
from common.aso.imports.apply import Applied, Repetitions, Source, apply
from common.aso.imports.reader import HEAD_BYTES, Layout, layout_of, rows_of
from common.aso.imports.start import recognised
from common.aso.imports.table import Circumstances, Columns, ParsedRow
from common.errors import Unprocessable
from common.jobs.run import JobRun

CHUNK = 200
"""Rows between two checkpoints: two transactions of keywords and two of ranks."""

COUNTED = ("created", "updated", "unchanged", "refused")
PARSERS = {"search_console": search_console.parse, "csv": plain_csv.parse}
ERROR_COLUMNS = ("row_number", "errors")


def run(job: JobRun) -> Mapping[str, Any]:
    """Import the file of a job; return the counts and what was assumed.

    Raises:
        Unprocessable: ``source_missing``: the stored file is gone.
    """
    head, source = _opened(job), _opened(job)
    layout = layout_of(head.read(HEAD_BYTES))
    found, columns = recognised(layout, job.parameters["format"])
    origin = _source(job, found)
    checkpoint = job.checkpoint or {"row": 0, "part": 0, "done": 0, "counts": dict.fromkeys(COUNTED, 0)}
    counts: dict[str, int] = dict(checkpoint["counts"])
    done, part = int(checkpoint["done"]), int(checkpoint["part"])
    rows = (row for row in _parsed(job, source, layout, columns, found) if row.number > checkpoint["row"])
    while chunk := list(itertools.islice(rows, CHUNK)):
        applied = apply(job.context, chunk, columns, origin)
        _keep_refused(job, part, layout, applied)
        for name, number in applied.outcomes.items():
            counts[name] += number
        counts["refused"] += len(applied.refused)
        done, part = done + len(chunk), part + 1
        job.progress(done, checkpoint={"row": chunk[-1].number, "part": part, "done": done, "counts": dict(counts)})
    job.progress(done, total=done)
    return {**counts, "rows": done, **_assumed(job, found, columns, origin)}


def _parsed(job: JobRun, source: IO[bytes], layout: Layout, columns: Columns, found: str) -> Iterator[ParsedRow]:
    first, last = job.parameters["from"], job.parameters["to"]
    circumstances = Circumstances(
        as_of=_source(job, found).as_of.date(),
        days=None if first is None else (date.fromisoformat(last) - date.fromisoformat(first)).days + 1,
        latest=job.job.created_at.astimezone(UTC).date(),
    )
    repetitions = Repetitions()
    for row in rows_of(source, layout):
        yield repetitions.judged(PARSERS[found](row, columns, len(layout.header), circumstances))


def _source(job: JobRun, found: str) -> Source:
    """Return where the rows come from.

    An observation is a fact about a moment and cannot be told otherwise. Exports of one period can: Search Console
    goes on counting for days. So each such file is a source of its own.
    """
    last = job.parameters["to"]
    if last is None:
        as_of = datetime.fromisoformat(job.parameters["first_seen"])
    else:
        as_of = datetime.combine(date.fromisoformat(last), datetime.min.time(), UTC)
    several = found == "search_console" and last is not None
    return Source(
        name=found,
        rank_name=f"{found}.{job.parameters['digest'][:12]}" if several else found,
        as_of=as_of,
        day=as_of.date().isoformat(),
    )


def _keep_refused(job: JobRun, part: int, layout: Layout, applied: Applied) -> None:
    """Keep refused rows with their original cells, to be corrected and uploaded again."""
    if not applied.refused:
        return
    width = len(layout.header)
    header = [" ".join(name.split()) for name in layout.header]
    lines = [
        [
            *(row.cells + ("",) * width)[:width],
            row.number,
            "; ".join(
                f"{problem.column + ': ' if problem.column else ''}{problem.code} ({problem.message})"
                for problem in problems
            ),
        ]
        for row, problems in applied.refused
    ]
    job.write_errors(part, [*header, *ERROR_COLUMNS], lines)


def _assumed(job: JobRun, found: str, columns: Columns, origin: Source) -> dict[str, Any]:
    told = job.parameters["to"] is not None
    result: dict[str, Any] = {
        "format": found,
        "ignored_columns": list(columns.ignored),
        "as_of": origin.day,
        "as_of_basis": "given" if told else "first_upload",
    }
    if found == "search_console":
        result["period"] = "known" if job.parameters["from"] is not None else "unknown"
    return result


def _opened(job: JobRun) -> IO[bytes]:
    """Open the stored file for reading from its beginning.

    Raises:
        Unprocessable: ``source_missing``.
    """
    bucket = job.context.clients.settings.content_bucket
    chunks = objects.stream(job.context, bucket, job.parameters["path"])
    if chunks is None:
        raise Unprocessable("source_missing", "the uploaded file is gone; upload it again")
    return io.BufferedReader(_Chunks(chunks), buffer_size=HEAD_BYTES)


class _Chunks(io.RawIOBase):
    """Chunks of bytes, read as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; 0 at the end."""
        while not self._rest:
            following = next(self._chunks, None)
            if following is None:
                return 0
            self._rest = following
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)
