"""Take an uploaded file: refuse what cannot be imported, store it, and begin the job that imports it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from common import objects
from common.answers import Answer
from common.aso.imports.entities import IMPORTS
from common.aso.imports.models import Import, ImportQuery, MappedColumn
from common.aso.imports.plan import Plan, plan_of
from common.aso.imports.reader import EncodingName
from common.aso.imports.table import Circumstances
from common.aso.site.service import site_of
from common.context import Context
from common.errors import FieldError, Unprocessable
from common.identifiers import digest, uuid7
from common.jobs.models import JobView
from common.jobs.service import start_job
from common.model import rfc3339
from common.store import Work, transact
from common.technical import IMPORTED_FILES, changed
from common.uploaded_form import file_of
from common.uploads import Upload

RUN_FUNCTION = "aso-keyword-import-run"
LONGEST_PERIOD = timedelta(days=500)
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
        Unprocessable: ``invalid_range``, ``period_required``, or what ``plan_of`` raises.
    """
    check_range(query, datetime.now(UTC).date())
    upload = file_of(upload)
    plan = plan_of(upload.content, query.format, mapping_of(query), encoding_of(query))
    check_days(plan, query)
    job_id = uuid7()
    path = f"imports/{job_id}/source.csv"
    content_digest = hashlib.sha256(upload.content).hexdigest()
    first_seen = _first_seen(context, content_digest, query)
    objects.write(context, context.clients.settings.content_bucket, path, upload.content, "text/csv")
    as_of, basis = as_of_of(plan, query, first_seen)
    parameters: dict[str, Any] = {
        "path": path,
        "plan": plan.model_dump(mode="json"),
        "digest": content_digest,
        "from": query.from_,
        "to": query.to,
        "as_of": rfc3339(as_of),
        "as_of_basis": basis,
        "hosts": list(site_of(context).hosts),
    }
    kept = _import(context, str(job_id), plan, query)
    kept = kept.model_copy(update={"digest": content_digest, "filename": upload.filename, "as_of": day_of(as_of)})

    def work(work: Work) -> Answer[JobView]:
        job = start_job(
            work,
            type="keyword_import",
            function=RUN_FUNCTION,
            parameters=parameters,
            unit="rows",
            total=plan.rows,
            job_id=job_id,
        )
        work.create(IMPORTS, kept)
        return Answer(content=job.view(), status=202, headers={"Location": f"/v1/jobs/{job_id}"})

    return transact(context, work)


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


def check_days(plan: Plan, query: ImportQuery) -> None:
    """Refuse search performance of which nobody says when it was.

    Raises:
        Unprocessable: ``period_required``.
    """
    if plan.format != "search_console" or plan.table == "queries" or "date" in plan.columns or query.from_ is not None:
        return
    message = f"a table of {plan.table.replace('_', ' ')} does not say which days it covers; give from and to"
    error = FieldError(pointer="query:from", code="period_required", message=message)
    raise Unprocessable("period_required", message, errors=[error])


def mapping_of(query: ImportQuery) -> dict[str, str | None]:
    """Return the mapping of a query.

    Raises:
        Unprocessable: ``invalid_mapping``.
    """
    if query.mapping is None:
        return {}
    try:
        mapping = json.loads(query.mapping)
    except (ValueError, RecursionError) as error:
        raise _invalid_mapping("mapping is not JSON") from error
    if not isinstance(mapping, dict) or not all(isinstance(field, str | None) for field in mapping.values()):
        raise _invalid_mapping("mapping is a JSON object of column name to the name of a field, or to null")
    return mapping


def encoding_of(query: ImportQuery) -> EncodingName | None:
    """Return the encoding that the caller named, or None."""
    return None if query.encoding == "auto" else query.encoding


def as_of_of(plan: Plan, query: ImportQuery, first_seen: datetime) -> tuple[datetime, str]:
    """Return the moment that rows without a day of their own are of, and what that rests on."""
    told = plan.told.get("to")
    if query.to is not None:
        return _midnight(query.to), "given"
    if isinstance(told, str) and _midnight(told) <= first_seen:
        return _midnight(told), "file"
    return first_seen, "first_upload"


def circumstances_of(
    as_of: datetime, query_from: str | None, query_to: str | None, latest: date, hosts: Sequence[str]
) -> Circumstances:
    """Return what a file does not say about itself."""
    first = None if query_from is None else date.fromisoformat(query_from)
    last = None if query_to is None else date.fromisoformat(query_to)
    days = None if first is None or last is None else (last - first).days + 1
    return Circumstances(as_of=as_of.astimezone(UTC).date(), days=days, latest=latest, first=first, hosts=tuple(hosts))


def day_of(moment: datetime) -> str:
    """Return the UTC day of a moment."""
    return moment.astimezone(UTC).date().isoformat()


def mapped(plan: Plan) -> list[MappedColumn]:
    """Return the columns that are taken."""
    return [
        MappedColumn(
            column=plan.header[index],
            index=index,
            field=name,
            basis=plan.bases.get(name),
            decimal=plan.marks.get(name),
            evidence=plan.evidence.get(name),
        )
        for name, index in sorted(plan.columns.items(), key=lambda each: each[1])
    ]


def _import(context: Context, import_id: str, plan: Plan, query: ImportQuery) -> Import:
    now = datetime.now(UTC)
    return Import(
        import_id=import_id,
        tenant_id=context.tenant_id,
        status="applying",
        format=plan.format,
        table=plan.table,
        digest="",
        encoding=plan.encoding,
        mapping=mapped(plan),
        from_date=query.from_ or plan.told.get("from"),
        to_date=query.to or plan.told.get("to"),
        as_of=now.date().isoformat(),
        warnings=plan.warnings,
        created_at=now,
        created_by=context.principal.id,
        updated_at=now,
    )


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)


def _invalid_range(name: str, message: str) -> Unprocessable:
    error = FieldError(pointer=f"query:{name}", code="invalid_range", message=message)
    return Unprocessable("invalid_range", message, errors=[error])


def _invalid_mapping(message: str) -> Unprocessable:
    error = FieldError(pointer="query:mapping", code="invalid_mapping", message=message)
    return Unprocessable("invalid_mapping", message, errors=[error])


def _first_seen(context: Context, content_digest: str, query: ImportQuery) -> datetime:
    """Return when the tenant uploaded this very file first: its undated ranks are of that moment, every time."""
    now = datetime.now(UTC)
    key = digest(context.tenant_id, content_digest, query.from_ or "", query.to or "")

    def change(fields: dict[str, Any] | None) -> tuple[dict[str, Any] | None, datetime]:
        if fields is not None:
            return None, fields["first_seen"]
        return {"tenant_id": context.tenant_id, "first_seen": now, "expires_at": now + REMEMBERED}, now

    return changed(context, f"{IMPORTED_FILES.path}/{key}", change)
