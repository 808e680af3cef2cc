"""Begin an export of search optimisation, and hand out the link to its file."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from common.answers import Answer
from common.aso.exporting.models import FILTERS, PERIODIC, ExportRequest
from common.context import Context
from common.errors import FieldError, Unprocessable
from common.exports import service
from common.exports.models import ExportLink, Layout
from common.jobs.models import JobView

TYPE = "aso_export"
RUN_FUNCTION = "aso-export-run"
USUAL = timedelta(days=90)
LONGEST = timedelta(days=400)


def start(context: Context, body: ExportRequest) -> Answer[JobView]:
    """Begin an export; answers 202 with the job.

    Raises:
        Unprocessable: ``filter_unknown``: the kind has no such filter; ``invalid_range``; ``range_too_long`` (400
            days).
    """
    layout = Layout(**{name: getattr(body, name) for name in Layout.model_fields})
    filters = checked_filters(body, datetime.now(UTC).date())
    return service.start(context, type=TYPE, function=RUN_FUNCTION, kind=body.kind, filters=filters, layout=layout)


def link(context: Context, export_id: uuid.UUID) -> ExportLink:
    """Return a link to the file of an export; see ``common.exports.service.link``."""
    return service.link(context, export_id, TYPE)


def checked_filters(body: ExportRequest, today: date) -> dict[str, Any]:
    """Return the filters of a request, by name, with the days of a period filled in.

    Raises:
        Unprocessable: As ``start``.
    """
    given = {
        name: value for name in body.filters.model_fields_set if (value := getattr(body.filters, name)) is not None
    }
    unknown = sorted(given.keys() - FILTERS[body.kind])
    if unknown:
        message = f"{body.kind} has no such filter"
        errors = [
            FieldError(pointer=f"/filters/{name.removesuffix('_')}", code="filter_unknown", message=message)
            for name in unknown
        ]
        raise Unprocessable("filter_unknown", f"{message}: {', '.join(unknown)}.", errors=errors)
    if body.kind not in PERIODIC:
        return {name.removesuffix("_"): value for name, value in given.items()}
    last = date.fromisoformat(given["to"]) if "to" in given else today
    first = date.fromisoformat(given["from_"]) if "from_" in given else max(date.min + USUAL, last) - USUAL
    if last < first:
        raise _refused("invalid_range", "to", "it ends before it begins")
    if last - first >= LONGEST:
        raise _refused("range_too_long", "from", f"it may have {LONGEST.days} days at most")
    return {"from": first.isoformat(), "to": last.isoformat()}


def _refused(code: str, name: str, message: str) -> Unprocessable:
    error = FieldError(pointer=f"/filters/{name}", code=code, message=message)
    return Unprocessable(code, f"The range: {message}.", errors=[error])
