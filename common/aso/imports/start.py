"""Take an uploaded file of keywords: refuse what is no such file, store it, and begin the job that imports it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from common import objects
from common.answers import Answer
from common.aso.imports import plain_csv, search_console
from common.aso.imports.models import ImportQuery
from common.aso.imports.reader import HEAD_BYTES, Layout, check_encoding, layout_of
from common.aso.imports.table import Columns, Format
from common.context import Context
from common.errors import FieldError, Unprocessable
from common.identifiers import digest, uuid7
from common.jobs.models import JobView
from common.jobs.service import start_job
from common.model import rfc3339
from common.store import transact
from common.technical import IMPORTED_FILES, changed
from common.uploaded_form import file_of
from common.uploads import Upload

RUN_FUNCTION = "aso-keyword-import-run"
LONGEST_PERIOD = timedelta(days=500)
SLICE = 1_048_576
REMEMBERED = timedelta(days=730)
"""How long the first upload of a file is remembered."""


def start(context: Context, upload: Upload, query: ImportQuery) -> Answer[JobView]:
    """Begin the import of a file; answers 202 with the job and its address.

    Args:
        context: Circumstances of the request.
        upload: The file, or a form with it.
        query: How to read it.

    Raises:
        BadRequest: ``malformed_form``.
        UnsupportedMediaType: ``unsupported_file_type``: no text table.
        Unprocessable: ``empty_file``, ``unsupported_encoding``, ``missing_header``, ``duplicate_columns``,
            ``unknown_format``, ``invalid_range``.
    """
    check_range(query, datetime.now(UTC).date())
    upload = file_of(upload)
    layout = layout_of(upload.content[:HEAD_BYTES])
    check_encoding(_slices(upload.content), layout.encoding)
    if len(upload.content) <= HEAD_BYTES and _only_header(upload.content, layout):
        raise Unprocessable("empty_file", "the file has column names and no row")
    found, _ = recognised(layout, query.format)
    job_id = uuid7()
    path = f"imports/{job_id}/source.csv"
    content_digest = hashlib.sha256(upload.content).hexdigest()
    first_seen = _first_seen(context, content_digest, query)
    objects.write(context, context.clients.settings.content_bucket, path, upload.content, "text/csv")
    parameters: dict[str, Any] = {
        "path": path,
        "format": found,
        "filename": upload.filename,
        "digest": content_digest,
        "from": query.from_,
        "to": query.to,
        "first_seen": rfc3339(first_seen),
    }

    def work(work: Any) -> Answer[JobView]:
        job = start_job(
            work, type="keyword_import", function=RUN_FUNCTION, parameters=parameters, unit="rows", job_id=job_id
        )
        return Answer(content=job.view(), status=202, headers={"Location": f"/v1/jobs/{job_id}"})

    return transact(context, work)


def recognised(layout: Layout, wanted: str) -> tuple[Format, Columns]:
    """Return the format of a file and where its columns are.

    Raises:
        Unprocessable: ``unknown_format``: no format fits, or not the one asked for; ``duplicate_columns``.
    """
    if wanted != "csv":
        columns = search_console.columns(layout.header)
        if columns is not None:
            return "search_console", columns
    if wanted != "search_console":
        columns = plain_csv.columns(layout.header)
        if columns is not None:
            return "csv", columns
    needed = "a query, impressions and a position" if wanted == "search_console" else "a column named keyword"
    detail = f"the header needs {needed}; it is {', '.join(map(repr, layout.header[:20]))}"
    raise Unprocessable("unknown_format", detail, details={"columns": list(layout.header[:50])})


def check_range(query: ImportQuery, today: date) -> None:
    """Refuse a period that cannot be.

    Raises:
        Unprocessable: ``invalid_range``.
    """
    first = None if query.from_ is None else date.fromisoformat(query.from_)
    last = None if query.to is None else date.fromisoformat(query.to)
    if first is not None and last is None:
        raise _invalid_range("from", "from needs to")
    if last is not None and last > today:
        raise _invalid_range("to", "to is in the future")
    if first is not None and last is not None and not timedelta() <= last - first < LONGEST_PERIOD:
        raise _invalid_range("from", f"from is after to, or more than {LONGEST_PERIOD.days} days before it")


def _invalid_range(name: str, message: str) -> Unprocessable:
    error = FieldError(pointer=f"query:{name}", code="invalid_range", message=message)
    return Unprocessable("invalid_range", message, errors=[error])


def _first_seen(context: Context, content_digest: str, query: ImportQuery) -> datetime:
    """Return when the tenant uploaded this very file first: its undated ranks are of that moment, every time."""
    now = datetime.now(UTC)
    key = digest(context.tenant_id, content_digest, query.from_ or "", query.to or "")

    def change(fields: dict[str, Any] | None) -> tuple[dict[str, Any] | None, datetime]:
        if fields is not None:
            return None, fields["first_seen"]
        return {"tenant_id": context.tenant_id, "first_seen": now, "expires_at": now + REMEMBERED}, now

    return changed(context, f"{IMPORTED_FILES.path}/{key}", change)


def _slices(content: bytes) -> Iterator[bytes]:
    for start_at in range(0, len(content), SLICE):
        yield content[start_at : start_at + SLICE]


def _only_header(content: bytes, layout: Layout) -> bool:
    lines = content.decode(layout.encoding).splitlines()
    return not any(line.strip() for line in lines[layout.header_row :])
