"""Run the undo of an import: its newest change first, by checkpoints, and its search performance at the end."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from common.aso.imports import journal
from common.aso.imports.entities import IMPORTS
from common.aso.imports.models import UndoCounts
from common.aso.imports.reads import get
from common.aso.imports.undo import undo
from common.aso.performance import record as performance
from common.jobs.run import JobRun
from common.store import Work, transact


def run(job: JobRun) -> Mapping[str, Any]:
    """Undo an import, its newest change first; return what was done.

    Raises:
        NotFound: ``import_not_found``.
        Unavailable: A dependency does not answer; the job goes on later.
    """
    import_id = str(job.parameters["import_id"])
    context = job.context
    checkpoint = job.checkpoint or {"after": None, "done": 0}
    done = int(checkpoint["done"])
    for entry_id in journal.newest_first(context, import_id, checkpoint["after"]):
        transact(context, functools.partial(undo, entry_id=entry_id), answers=False)
        done += 1
        job.progress(done, checkpoint={"after": entry_id, "done": done})
    found = get(context, import_id).value
    if found.format == "search_console" and (found.table != "queries" or found.from_date is not None):
        performance.retract(context, import_id)
    counts = UndoCounts(**journal.outcomes(context, import_id))
    transact(context, lambda work: _finished(work, import_id, counts), answers=False)
    job.progress(done, total=done)
    return counts.model_dump()


def _finished(work: Work, import_id: str, counts: UndoCounts) -> None:
    record = work.get(IMPORTS, import_id)
    now = datetime.now(UTC)
    changes = {"status": "undone", "undo": counts, "undone_at": record.value.undone_at or now, "updated_at": now}
    work.update(IMPORTS, record, record.value.model_copy(update=changes))
