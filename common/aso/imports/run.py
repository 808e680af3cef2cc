"""Run an import: stream the file, bring its good rows in, keep the others with their reasons, by checkpoints.

A chunk of rows is stored before the checkpoint moves past it, and storing it again changes nothing; so a run that
crashed goes on at the last checkpoint, and two imports at once are safe. Rows of a chunk repeated after a crash count
as unchanged.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import IO, Any

from common import objects
from common.aso.imports.apply import Applied, Source, apply
from common.aso.imports.asked import circumstances_of, day_of
from common.aso.imports.entities import IMPORTS
from common.aso.imports.journal import watching
from common.aso.imports.models import ImportCounts, ImportStatus
from common.aso.imports.plan import RETURNED, Plan
from common.aso.imports.rows import parsed_rows
from common.aso.imports.table import ParsedRow
from common.context import Context
from common.errors import PoisonEvent, Refusal, Unprocessable
from common.jobs.entities import JOBS
from common.jobs.run import JobEnded, JobRun
from common.store import Repository, Work, transact

CHUNK = 200
"""Keywords, or ranks, between two checkpoints: two transactions of keywords and two of ranks."""
FACTS_AT_ONCE = 10_000
"""Rows of search performance between two checkpoints: one load job."""

COUNTED = ("created", "updated", "unchanged", "recorded", "refused")
FOREIGN = "ranks_of_other_sites"
"""How many rows told a rank of a page that is not the tenant's, which was not taken."""


def run(job: JobRun) -> Mapping[str, Any]:
    """Import the file of a job; return the counts and what was assumed.

    Raises:
        Unprocessable: ``source_missing``: the stored file is gone.
    """
    try:
        result = _imported(job)
    except (Refusal, PoisonEvent):
        _note(job, "incomplete", None)
        raise
    except JobEnded:
        if Repository(JOBS, job.context).get(str(job.job.job_id)).value.status == "cancelled":
            _note(job, "incomplete", None)
        raise
    _note(job, "applied", {name: result[name] for name in ("rows", *COUNTED)})
    return result


def _imported(job: JobRun) -> dict[str, Any]:
    plan = Plan.model_validate(job.parameters["plan"])
    names = plan.reading().columns.names
    origin = _source(job, plan)
    checkpoint = job.checkpoint or {"row": 0, "part": 0, "done": 0, "counts": dict.fromkeys((*COUNTED, FOREIGN), 0)}
    counts: dict[str, int] = dict(checkpoint["counts"])
    done, part = int(checkpoint["done"]), int(checkpoint["part"])
    for chunk in _chunks(row for row in _parsed(job, plan) if row.number > checkpoint["row"]):
        applied = apply(job.context, chunk, names, origin)
        _keep_refused(job, part, plan, applied)
        for name, number in applied.outcomes.items():
            counts[name] += number
        counts["refused"] += len(applied.refused)
        counts[FOREIGN] += sum(row.foreign for row in chunk)
        done, part = done + len(chunk), part + 1
        job.progress(done, checkpoint={"row": chunk[-1].number, "part": part, "done": done, "counts": dict(counts)})
    job.progress(done, total=done)
    return {**counts, "rows": done, **_assumed(job, plan, origin)}


def _parsed(job: JobRun, plan: Plan) -> Iterator[ParsedRow]:
    latest = job.job.created_at.astimezone(UTC).date()
    as_of = datetime.fromisoformat(job.parameters["as_of"])
    first, last = job.parameters["from"], job.parameters["to"]
    circumstances = circumstances_of(as_of, first, last, latest, job.parameters["hosts"])
    return parsed_rows(_opened(job), plan, circumstances)


def _chunks(rows: Iterator[ParsedRow]) -> Iterator[list[ParsedRow]]:
    """Yield rows in chunks of about equal cost: a row of many ranks counts as many, one of performance alone little."""
    chunk: list[ParsedRow] = []
    weight = 0.0
    for row in rows:
        chunk.append(row)
        alone = bool(row.facts) and not row.metrics
        weight += CHUNK / FACTS_AT_ONCE if alone else max(1, len(row.ranks))
        if weight >= CHUNK:
            yield chunk
            chunk, weight = [], 0.0
    if chunk:
        yield chunk


def _source(job: JobRun, plan: Plan) -> Source:
    """Return where the rows come from.

    An observation is a fact about a moment and cannot be told otherwise. Exports of one period can: Search Console
    goes on counting for days. So each such file is a source of its own.
    """
    as_of = datetime.fromisoformat(job.parameters["as_of"])
    name = plan.format if plan.format in {"search_console", "csv"} else f"{plan.format}.{plan.table}"
    several = plan.format == "search_console" and job.parameters["to"] is not None
    import_id = str(job.job.job_id)
    return Source(
        import_id=import_id,
        name=plan.format,
        rank_name=f"{name}.{job.parameters['digest'][:12]}" if several else name,
        as_of=as_of,
        day=day_of(as_of),
        watch=watching(import_id),
    )


def _keep_refused(job: JobRun, part: int, plan: Plan, applied: Applied) -> None:
    """Keep refused rows with their original cells, to be corrected and uploaded again."""
    if not applied.refused:
        return
    header = plan.header[: len(plan.header) - (len(RETURNED) if plan.returned else 0)]
    width = len(header)
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
    job.write_errors(part, [*(" ".join(name.split()) for name in header), *RETURNED], lines)


def _assumed(job: JobRun, plan: Plan, origin: Source) -> dict[str, Any]:
    result: dict[str, Any] = {
        "import_id": origin.import_id,
        "format": plan.format,
        "table": plan.table,
        "encoding": plan.encoding,
        "ignored_columns": plan.ignored,
        "as_of": origin.day,
        "as_of_basis": job.parameters["as_of_basis"],
        "warnings": [warned.model_dump() for warned in plan.warnings],
    }
    if plan.format == "search_console":
        result["period"] = "known" if job.parameters["from"] is not None or "date" in plan.columns else "unknown"
    return result


def _note(job: JobRun, status: ImportStatus, counts: Mapping[str, int] | None) -> None:
    """Note on the import how it ended, unless somebody has begun to undo it."""

    def work(work: Work) -> None:
        record = work.find(IMPORTS, str(job.job.job_id))
        if record is None or record.value.status != "applying":
            return
        now = datetime.now(UTC)
        changes: dict[str, Any] = {"status": status, "updated_at": now}
        if counts is not None:
            changes |= {"counts": ImportCounts(**counts), "applied_at": now}
        work.update(IMPORTS, record, record.value.model_copy(update=changes))

    transact(job.context, work, answers=False)


def _opened(job: JobRun) -> IO[bytes]:
    """Open the stored file for reading from its beginning.

    Raises:
        Unprocessable: ``source_missing``.
    """
    found = stored(job.context, job.parameters["path"])
    if found is None:
        raise Unprocessable("source_missing", "the uploaded file is gone; upload it again")
    return found


def stored(context: Context, path: str) -> IO[bytes] | None:
    """Open a stored file for reading from its beginning; None where there is none."""
    chunks = objects.stream(context, context.clients.settings.content_bucket, path)
    return None if chunks is None else io.BufferedReader(_Chunks(chunks), buffer_size=262_144)


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
