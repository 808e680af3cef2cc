"""Take an uploaded file: refuse what cannot be imported, store it, and begin the job that imports it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from common import objects, quotas
from common.answers import Answer
from common.aso.imports.asked import as_of_of, check_days, check_range, day_of, encoding_of, mapping_of
from common.aso.imports.entities import IMPORTS
from common.aso.imports.models import Import, ImportQuery, MappedColumn
from common.aso.imports.plan import Plan, plan_of
from common.aso.site.service import site_of
from common.context import Context
from common.identifiers import digest, uuid7
from common.jobs.models import JobView
from common.jobs.service import start_job
from common.model import rfc3339
from common.store import Work, transact
from common.technical import IMPORTED_FILES, changed
from common.uploaded_form import file_of
from common.uploads import Upload

RUN_FUNCTION = "aso-keyword-import-run"
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
        Forbidden: ``quota_exceeded``.
    """
    check_range(query, datetime.now(UTC).date())
    upload = file_of(upload)
    plan = plan_of(upload.content, query.format, mapping_of(query), encoding_of(query))
    check_days(plan, query)
    quotas.check(context, "imports_per_day")
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


def _first_seen(context: Context, content_digest: str, query: ImportQuery) -> datetime:
    """Return when the tenant uploaded this very file first: its undated ranks are of that moment, every time."""
    now = datetime.now(UTC)
    key = digest(context.tenant_id, content_digest, query.from_ or "", query.to or "")

    def change(fields: dict[str, Any] | None) -> tuple[dict[str, Any] | None, datetime]:
        if fields is not None:
            return None, fields["first_seen"]
        return {"tenant_id": context.tenant_id, "first_seen": now, "expires_at": now + REMEMBERED}, now

    return changed(context, f"{IMPORTED_FILES.path}/{key}", change)
