"""Synchronising search performance with Search Console: day by day, cut by cut, page by page, from where it stopped.

A job fetches what ``plan`` finds missing. The rows of a cut are stored invisibly, page after page, and published when
all of them are there; so readers see a day's cut as it was before or as it is now, and nothing between. Days younger
than four days may still change: each run fetches them again, and what is published then takes their place.

The checkpoint names the cut and the next page: after a crash the page that was under way comes again, as the same rows.
Where the API's quota is used up the job waits and goes on; having waited in vain for hours, or used up our own budget
of calls, it ends with ``remaining``, and the next day's run finds what is missing. Quota never makes a job fail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from common.aso.performance.record import declared, fact_rows
from common.aso.search_console_api import plan
from common.aso.search_console_api.api import PAGE_ROWS, ApiRow, Question, QuotaExceeded, SearchConsole, today
from common.aso.search_console_api.authorization import authorization_of
from common.aso.search_console_api.budget import Budget
from common.aso.search_console_api.cuts import DayCut, performance_rows
from common.aso.search_console_api.models import Stopped, SyncResult
from common.jobs.run import JobEnded, JobRun
from common.warehouse.facts import append_facts, publish_slice, sequence_now, sweep_slices, wake_facts

PARTS = 1000
"""Pages of a cut at most, for numbering parts of the error file."""
WAITS = 12
"""Times in a row that a job waits for quota: three hours of load quota, then the next day's run takes over."""


class _BudgetUsed(Exception):
    """The day's calls are used up."""


@dataclass(kw_only=True, slots=True)
class _State:
    """Where the work is; the job's checkpoint.

    Attributes:
        slice: Slice under way; empty between two.
        batch: What its rows are appended with.
        sequence: Of its rows.
        start_row: Rows of the API that are stored of it.
        last_day: Day of the cut that was published last; empty before the first.
        last_number: Which of the day's cuts that was.
        published: Cuts published.
        days: Days of which a cut was published.
        rows: Rows stored.
        refused: Rows that are no figures.
        calls: Calls to the API.
        waits: Times that quota was waited for since anything was fetched.
    """

    slice: str = ""
    batch: str = ""
    sequence: int = 0
    start_row: int = 0
    last_day: str = ""
    last_number: int = 0
    published: int = 0
    days: int = 0
    rows: int = 0
    refused: int = 0
    calls: int = 0
    waits: int = 0


def run(job: JobRun) -> Mapping[str, Any]:
    """Do the work of a synchronisation, from its checkpoint.

    Raises:
        Forbidden: ``not_verified``.
        JobEnded: The API's quota is used up; the job goes on later.
        Unavailable: A dependency does not answer.
    """
    sync = _Sync(job)
    try:
        return sync.run()
    except _BudgetUsed:
        return sync.result("budget")
    except QuotaExceeded as stop:
        return sync.wait(stop)
    finally:
        sync.budget.give_back()


class _Sync:
    """One run of one job."""

    def __init__(self, job: JobRun) -> None:
        self.job = job
        self.context = job.context
        self.site = str(job.parameters["site"])
        self.state = _State(**(job.checkpoint or {}))
        self.budget = Budget(job.context, today())
        self.api = SearchConsole(context=job.context, authorization=authorization_of(job.context), admit=self._admit)
        self.newest: date | None = None
        self.left: list[DayCut] | None = None

    def run(self) -> Mapping[str, Any]:
        """Fetch what is missing."""
        self.left = left = self._missing()
        while left:
            self._fetch(left[0])
            self._publish(left.pop(0))
        # What unsettled days said before was replaced day by day; nobody reads it any more.
        sweep_slices(self.context, declared(), *plan.unsettled(today()))
        return self.result()

    def wait(self, stop: QuotaExceeded) -> Mapping[str, Any]:
        """Go on later, or leave the rest to the next day's run if that was in vain again and again."""
        if self.state.waits >= WAITS:
            return self.result("quota")
        self.state.waits += 1
        self._progress(flush=True)
        self.job.pause(stop.retry_after)
        raise JobEnded(str(stop))

    def result(self, stopped: Stopped | None = None) -> Mapping[str, Any]:
        """Return what the job came to."""
        counts = {name: getattr(self.state, name) for name in ("days", "rows", "refused", "calls")}
        newest = None if self.newest is None else self.newest.isoformat()
        remaining = None if self.left is None else len(self.left)
        made = SyncResult(site=self.site, remaining=remaining, stopped=stopped, newest_day=newest, **counts)
        return made.model_dump(mode="json")

    def _missing(self) -> list[DayCut]:
        """Ask which days there are, and return the cuts to fetch, without those this job has published already."""
        day = today()
        question = Question(site=self.site, first=plan.oldest_day(day), last=plan.newest_day(day), dimensions=("date",))
        days = [date.fromisoformat(row.keys[0]) for row in self.api.page(question)]
        self.newest = max(days, default=None)
        found = plan.missing(self.site, days, plan.published(self.context, self.site))
        if not self.state.last_day:
            return found
        last = (-date.fromisoformat(self.state.last_day).toordinal(), self.state.last_number)
        return [cut for cut in found if (-cut.day.toordinal(), cut.number) > last]

    def _fetch(self, cut: DayCut) -> None:
        """Store the rows of a cut, from the page on that the last run did not store."""
        state = self.state
        if state.slice != cut.slice:
            state.slice, state.sequence, state.start_row = cut.slice, sequence_now(), 0
            state.batch = f"{self.job.job.job_id}:{state.sequence}"
        while True:
            question = Question(
                site=self.site, first=cut.day, last=cut.day, dimensions=cut.dimensions, start_row=state.start_row
            )
            rows = self.api.page(question)
            self._store(cut, rows)
            state.start_row += len(rows)
            self._progress()
            if len(rows) < PAGE_ROWS:
                return

    def _admit(self) -> None:
        """Count a call, before it is made."""
        if not self.budget.take():
            raise _BudgetUsed
        self.state.calls += 1

    def _store(self, cut: DayCut, rows: Sequence[ApiRow]) -> None:
        state = self.state
        found, refused = performance_rows(cut, rows)
        if refused:
            part = state.published * PARTS + state.start_row // PAGE_ROWS
            self.job.write_errors(part, ["slice", "keys"], [(cut.slice, " ".join(row.keys)) for row in refused])
        made = fact_rows(self.context.tenant_id, found, import_id=None)
        if made:
            append_facts(self.context, declared(), made, batch=state.batch, sequence=state.sequence, slice=cut.slice)
        # Being told the days is no progress: only rows show that quota is there again.
        state.waits = 0
        state.rows, state.refused = state.rows + len(made), state.refused + len(refused)

    def _publish(self, cut: DayCut) -> None:
        state = self.state
        publish_slice(self.context, declared(), cut.slice, batch=state.batch, sequence=state.sequence)
        wake_facts(self.context, declared())
        state.days += cut.day.isoformat() != state.last_day
        state.published += 1
        state.last_day, state.last_number, state.slice = cut.day.isoformat(), cut.number, ""
        self._progress()

    def _progress(self, *, flush: bool = False) -> None:
        done = self.state.published
        total = None if self.left is None else done + len(self.left)
        self.job.progress(done, total=total, checkpoint=asdict(self.state), flush=flush)
