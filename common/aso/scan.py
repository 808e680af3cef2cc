"""The opportunity scan: brings a tenant's opportunities in line with its keywords.

1. The warehouse tells what differs (``common.aso.scan_query``): one query, no loop over keywords.
2. For the differences only, the stored keywords are read and the rules applied to them (``opportunity_rules``), in
   batches; what they confirm is written, one transaction a batch.

**Idempotent.** An opportunity's id derives from tenant, type, keyword and episode, and it is created only where no
document of that id exists. What still holds is not touched, unless it is new and its expected gain moved by more than a
quarter (``opportunities.is_moved``): then its figures are computed afresh, once. So running twice changes nothing, two
scans at once cannot double anything (the second one's transaction finds the document, or is run again), and a crash is
repaired by running again.

**A stale warehouse does no harm.** It may lag behind the documents by seconds. It only proposes: a keyword that no
longer qualifies, or qualifies again, is recognised from its document, and an opportunity that was made or closed
meanwhile from its own. What the warehouse has not seen yet marks the tenant as changed when it arrives, and the next
scan sees it. Opportunities themselves mark the tenant too: the scan after one that wrote finds everything in place and
writes nothing.

**What ends by itself.** A keyword that nobody checks again leaves the 30 days without any change. Each scheduled scan
therefore states when the first keyword of what holds does so, and the tenant is due again from then on.

**Bounded.** A run writes at most ``limit`` creations and as many closings, the greatest gain first. The rest is
``remaining``: the tenant stays marked, and the next run goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from common.aso import gain
from common.aso.entities import KEYWORDS, SCAN
from common.aso.gain_model.model import GainModel
from common.aso.gain_model.scale import improvement, landed
from common.aso.gain_model.service import gain_model_of
from common.aso.models import Keyword, Opportunity
from common.aso.opportunities import CHUNK, Ending, create_missing, end, ranked, refresh
from common.aso.opportunity_models import ScanResult, ScanTask
from common.aso.opportunity_rules import ClosedReason, classify, demand_of, last_day, why_not
from common.aso.recommendation import reasons, recommendation
from common.aso.scan_query import Difference, Differences, differences
from common.context import Context
from common.store import Repository, in_chunks
from common.warehouse import marks
from common.warehouse.due import enqueue_due

TENANT_TASK = "aso-opportunity-scan-tenant"
SCHEDULED_LIMIT = 5000
"""Creations and closings of one scheduled run: 25 transactions each, about a minute."""
REQUEST_LIMIT = 1000
"""Creations and closings of one run that somebody waits for."""
SHOWN = 50
"""Opportunities in the answer; the page size of the query of document 000."""


@dataclass(slots=True)
class _Counts:
    """What a scan did so far."""

    created: int = 0
    known: int = 0
    refreshed: int = 0
    closed: int = 0
    released: int = 0
    outdated: int = 0


def enqueue_changed(context: Context, now: datetime | None = None) -> int:
    """Claim every tenant whose scan is due and make a task for each; return how many.

    Due are tenants changed since their last scan, and those of which an opportunity has ended by the passing of time.
    The tasks begin once BigQuery shows what was streamed to it before the claim. A tenant whose task could not be made
    is due again when the claim's lease ends.

    Args:
        context: Circumstances of the schedule.
        now: The time to go by; None for the present.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer.
    """
    return enqueue_due(context, SCAN, TENANT_TASK, lambda claim: ScanTask(working_since=claim.working_since), now=now)


def scan_claimed(context: Context, task: ScanTask, now: datetime | None = None) -> ScanResult:
    """Scan the tenant of a task and end its claim; the tenant stays marked while something remains.

    Args:
        context: Circumstances of the task.
        task: Names the claim.
        now: The time to go by; None for the present.

    Raises:
        Unavailable: A dependency does not answer; the task is tried again.
    """
    result, told = _scanned(context, SCHEDULED_LIMIT, now or datetime.now(UTC))
    if result.remaining:
        marks.set_marks(context, context.tenant_id, [(SCAN, marks.EVERYTHING)])
    wake_at = None if told.oldest_check is None else ends_at(told.oldest_check)
    marks.finish(context, SCAN, context.tenant_id, marks.EVERYTHING, task.working_since, wake_at=wake_at)
    return result


def ends_at(checked: date) -> datetime:
    """Return when what rests on a check of the day ``checked`` no longer holds."""
    return datetime.combine(last_day(checked) + timedelta(days=1), time.min, UTC)


def scan_now(context: Context) -> ScanResult:
    """Scan the caller's tenant while the caller waits.

    The tenant's mark is left alone: rows on their way to the warehouse are the scheduled scan's.

    Raises:
        Unavailable: A dependency does not answer.
    """
    return scan(context, REQUEST_LIMIT)


def scan(context: Context, limit: int) -> ScanResult:
    """Bring the opportunities of the context's tenant in line with its keywords.

    Args:
        context: Tenant, clients and deadline.
        limit: Creations, and closings, at most.

    Raises:
        Unavailable: A dependency does not answer; what was written stays and scanning again goes on.
    """
    return _scanned(context, limit, datetime.now(UTC))[0]


def _scanned(context: Context, limit: int, now: datetime) -> tuple[ScanResult, Differences]:
    model = gain_model_of(context)
    told = differences(context, now.date(), limit, model)
    counts = _Counts()
    for chunk in in_chunks(told.close, CHUNK):
        _close(context, chunk, now, model, counts)
    for chunk in in_chunks(told.create, CHUNK):
        _create(context, chunk, now, model, counts)
    for chunk in in_chunks(told.refresh, CHUNK):
        _refresh(context, chunk, now, model, counts)
    left = (told.creatable - len(told.create), told.closable - len(told.close), told.refreshable - len(told.refresh))
    result = ScanResult(
        found=told.kept + told.creatable,
        created=counts.created,
        refreshed=counts.refreshed,
        unchanged=told.kept + counts.known - counts.refreshed,
        closed=counts.closed,
        released=counts.released,
        outdated=counts.outdated,
        remaining=sum(left),
        scanned_at=now,
        items=ranked(context, SHOWN),
    )
    return result, told


def opportunity_of(keyword: Keyword, now: datetime, model: GainModel, episode: int = 1) -> Opportunity | None:
    """Return the opportunity that a keyword is, or None. Its id is given when it is created.

    ``estimated_traffic`` is what the reachable rank brings (demand x click-through, rounded); ``expected_gain`` what
    is expected on top of today, weighed with the chance to get there.

    Args:
        keyword: As stored.
        now: Moment of the scan.
        model: The tenant's.
        episode: Newest episode known.
    """
    today = now.date()
    kind, demand, rank = classify(keyword, today), demand_of(keyword), keyword.current_ranking
    if kind is None or demand is None or rank is None or keyword.last_checked is None:
        return None
    segment = model.segment_of(keyword.keyword)
    expected = improvement(
        model, current=rank, demand=demand.monthly, difficulty=keyword.difficulty_score, segment=segment
    )
    if expected is None or expected.target is None:
        return None
    observed = demand.basis == "observed_impressions"
    confidence = gain.confidence(
        basis=demand.basis,
        period_known=demand.period_known,
        difficulty_known=keyword.difficulty_score is not None,
        age_days=(today - keyword.last_checked.astimezone(UTC).date()).days,
    )
    return Opportunity(
        opportunity_id="",
        tenant_id=keyword.tenant_id,
        opportunity_type=kind,
        keyword=keyword.keyword,
        keyword_id=keyword.keyword_id,
        subject_id=keyword.keyword_id,
        confidence_score=round(confidence, 4),
        estimated_traffic=round(demand.monthly * model.click_through(expected.target, segment)),
        estimated_difficulty=keyword.difficulty_score,
        recommendation=recommendation(keyword, kind, expected),
        current_ranking=rank,
        search_volume=keyword.search_volume,
        observed_impressions=keyword.observed_impressions if observed else None,
        demand_basis=demand.basis,
        monthly_demand=round(demand.monthly, 2),
        opportunity_score=gain.seed_score(keyword.search_volume, keyword.difficulty_score),
        reasons=reasons(keyword, demand, expected, today, model, segment),
        content_id=keyword.content_id,
        episode=max(1, episode),
        detected_at=now,
        created_at=now,
        updated_at=now,
        **landed(model, expected),
    )


def _create(context: Context, chunk: Sequence[Difference], now: datetime, model: GainModel, counts: _Counts) -> None:
    stored = Repository(KEYWORDS, context).get_many([each.keyword_id for each in chunk])
    candidates: list[Opportunity] = []
    for each in chunk:
        record = stored.get(each.keyword_id)
        found = None if record is None else opportunity_of(record.value, now, model, each.episode)
        if found is not None and found.opportunity_type == each.opportunity_type:
            candidates.append(found)
    created = create_missing(context, candidates)
    counts.created += created
    counts.known += len(candidates) - created
    counts.outdated += len(chunk) - len(candidates)


def _refresh(context: Context, chunk: Sequence[Difference], now: datetime, model: GainModel, counts: _Counts) -> None:
    stored = Repository(KEYWORDS, context).get_many([each.keyword_id for each in chunk])
    fresh: list[Opportunity] = []
    for each in chunk:
        record = stored.get(each.keyword_id)
        found = None if record is None else opportunity_of(record.value, now, model)
        if found is not None and found.opportunity_type == each.opportunity_type and each.opportunity_id is not None:
            fresh.append(found.model_copy(update={"opportunity_id": each.opportunity_id}))
    refreshed = refresh(context, fresh, now)
    counts.refreshed += refreshed
    counts.outdated += len(chunk) - refreshed


def _close(context: Context, chunk: Sequence[Difference], now: datetime, model: GainModel, counts: _Counts) -> None:
    stored = Repository(KEYWORDS, context).get_many([each.keyword_id for each in chunk])
    endings: list[Ending] = []
    for each in chunk:
        record = stored.get(each.keyword_id)
        reason: ClosedReason | None = why_not(
            None if record is None else record.value, each.opportunity_type, now.date()
        )
        if reason is None and record is not None and opportunity_of(record.value, now, model) is None:
            reason = "no_gain_expected"
        if reason is not None and each.opportunity_id is not None:
            endings.append(Ending(opportunity_id=each.opportunity_id, reason=reason))
    ended = end(context, endings, now)
    counts.closed += ended.closed
    counts.released += ended.released
    counts.outdated += len(chunk) - ended.closed - ended.released
