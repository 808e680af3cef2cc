"""Measuring what came of opportunities: once after 28 days, once after 56, a task a day for each tenant with any due.

An opportunity that was acted on says when its next outcome is due (``outcome_due_at``). Measuring writes the outcome
and the opportunity's next date in one transaction, and an outcome that exists is never written again: measuring twice
changes nothing, and a crash is repaired by running again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from common import cache
from common.answers import Cached, Page
from common.aso.entities import KEYWORDS, OPPORTUNITIES, OUTCOME
from common.aso.gain_model import horizons
from common.aso.gain_model.caches import ASO_OUTCOMES
from common.aso.gain_model.entities import OPPORTUNITY_OUTCOMES
from common.aso.gain_model.measure import Clicked, Observed, Ranked, measured
from common.aso.gain_model.model import GainModel
from common.aso.gain_model.models import Horizon, OpportunityOutcome, OutcomeQuery, OutcomeTask
from common.aso.gain_model.service import gain_model_of
from common.aso.models import Keyword, Opportunity
from common.aso.performance.coverage import CHOSEN, Coverage, coverage
from common.aso.performance.record import page_key_of
from common.context import Context
from common.store import Repository, Work, transact
from common.warehouse import marks
from common.warehouse.due import enqueue_due
from common.warehouse.query import rows

TENANT_TASK = "aso-opportunity-outcome-tenant"
AT_ONCE = 100
"""Opportunities measured together: their keywords' days are held in memory, and written in one transaction."""
BATCHES = 50
"""Of one task; what is left keeps the tenant due."""

CLICKS_SQL = f"""\
SELECT
  {{subject}} AS subject,
  from_date AS first,
  date AS last,
  SUM(clicks) AS clicks,
  SUM(impressions) AS impressions,
  SAFE_DIVIDE(SUM(position * impressions), SUM(IF(position IS NULL, 0, impressions))) AS position
FROM {{{{search_performance_latest}}}}
WHERE {CHOSEN}
  AND {{subject}} IN UNNEST(@subjects)
GROUP BY subject, first, last
"""  # noqa: S608 - put together from constants

RANKS_SQL = """\
SELECT keyword_id, date, device, locale, state, position
FROM {rank_observations_latest}
WHERE date >= @first AND date <= @last AND state IN ('ranked', 'not_found') AND keyword_id IN UNNEST(@subjects)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What a task did.

    Attributes:
        written: Outcomes written.
        left: Whether some are still due.
        wake_at: When the next is due.
    """

    written: int
    left: bool
    wake_at: datetime | None


def enqueue_due_tenants(context: Context, now: datetime | None = None) -> int:
    """Make a task for every tenant of which an outcome may be due; return how many.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer.
    """
    return enqueue_due(
        context, OUTCOME, TENANT_TASK, lambda claim: OutcomeTask(working_since=claim.working_since), now=now
    )


def measure_claimed(context: Context, task: OutcomeTask, now: datetime | None = None) -> Measured:
    """Measure what is due of the tenant of a task, and say when the next is.

    Raises:
        Unavailable: A dependency does not answer; the task is tried again.
    """
    result = measure(context, now)
    if result.left:
        marks.set_marks(context, context.tenant_id, [(OUTCOME, marks.EVERYTHING)])
    marks.finish(context, OUTCOME, context.tenant_id, marks.EVERYTHING, task.working_since, wake_at=result.wake_at)
    return result


def measure(context: Context, now: datetime | None = None) -> Measured:
    """Measure every outcome of the tenant that is due.

    Args:
        context: Tenant, clients and deadline.
        now: The time to go by; None for the present.

    Raises:
        Unavailable: A dependency does not answer; what was written stays.
    """
    moment = now or datetime.now(UTC)
    repository = Repository(OPPORTUNITIES, context)
    written, model = 0, None
    for _ in range(BATCHES):
        found = repository.select([("outcome_due_at", "<=", moment)], ("outcome_due_at",), AT_ONCE)
        if not found:
            break
        model = model or gain_model_of(context)
        due = [record.value for record in found]
        written += _write(context, due, _outcomes(context, due, model, moment), moment)
    left = repository.select([("outcome_due_at", "<=", moment)], ("outcome_due_at",), 1)
    later = repository.select([("outcome_due_at", ">", moment)], ("outcome_due_at",), 1)
    return Measured(written=written, left=bool(left), wake_at=later[0].value.outcome_due_at if later else None)


def listed(context: Context, query: OutcomeQuery) -> Cached[Page[OpportunityOutcome]]:
    """Return a page of outcomes, the newest first, through the cache ``aso_outcomes``.

    Raises:
        BadRequest: ``invalid_cursor``.
    """

    def compute() -> Page[OpportunityOutcome]:
        filters: list[tuple[str, str, Any]] = [
            (name, "==", value)
            for name in ("opportunity_id", "horizon_days")
            if (value := getattr(query, name)) is not None
        ]
        repository = Repository(OPPORTUNITY_OUTCOMES, context)
        return repository.page(filters, ("-measured_at",), limit=query.limit, cursor=query.cursor)

    return cache.read_through(context, ASO_OUTCOMES, query.model_dump(), compute)


def due_of(opportunity: Opportunity, now: datetime) -> list[Horizon]:
    """Return the horizons of an opportunity that have come, those measured before among them."""
    if opportunity.acted_at is None:
        return [horizons.HORIZONS[0]]
    return horizons.due_horizons(opportunity.acted_at, now)


def _outcomes(
    context: Context, due: Sequence[Opportunity], model: GainModel, now: datetime
) -> dict[str, list[OpportunityOutcome]]:
    """Return the outcomes of opportunities, by opportunity."""
    observed = _observed(context, [each for each in due if each.acted_at is not None], now.date())
    return {
        each.opportunity_id: [
            measured(each, horizon, observed.get(each.opportunity_id, Observed()), model, now)
            for horizon in due_of(each, now)
        ]
        for each in due
    }


def _write(
    context: Context,
    due: Sequence[Opportunity],
    outcomes: Mapping[str, Sequence[OpportunityOutcome]],
    now: datetime,
) -> int:
    """Write outcomes that do not exist and when the next is due, in one transaction; return how many were written."""
    seen = {each.opportunity_id: each for each in due}

    def work(work: Work) -> int:
        stored = work.get_many(OPPORTUNITIES, seen)
        known = work.get_many(OPPORTUNITY_OUTCOMES, [each.outcome_id for some in outcomes.values() for each in some])
        written = 0
        for name, record in stored.items():
            then, value = seen[name], record.value
            if (value.acted_at, value.outcome_due_at) != (then.acted_at, then.outcome_due_at):
                continue  # somebody corrected the date meanwhile; it is looked at afresh
            for outcome in outcomes[name]:
                if outcome.outcome_id not in known:
                    work.create(OPPORTUNITY_OUTCOMES, outcome)
                    written += 1
            work.update(OPPORTUNITIES, record, value.model_copy(update=_after(value, outcomes[name], now)))
        return written

    return transact(context, work, answers=False)


def _after(opportunity: Opportunity, outcomes: Sequence[OpportunityOutcome], now: datetime) -> dict[str, Any]:
    """Return what an opportunity says once its outcomes were measured."""
    if opportunity.acted_at is None:
        return {"outcome_due_at": None, "outcome_state": outcomes[-1].state, "updated_at": now}
    if not outcomes:
        return {"outcome_due_at": horizons.first_due(opportunity.acted_at), "updated_at": now}
    last = outcomes[-1]
    changes: dict[str, Any] = {
        "outcome_due_at": horizons.next_due(opportunity.acted_at, last.horizon_days),
        "outcome_state": last.state,
        "updated_at": now,
    }
    known = [each.realised_gain for each in outcomes if each.realised_gain is not None]
    return changes | ({"realised_gain": known[-1]} if known else {})


def _observed(context: Context, due: Sequence[Opportunity], today: date) -> dict[str, Observed]:
    """Return what is known of the subjects of opportunities, by opportunity."""
    moments = [each.acted_at for each in due if each.acted_at is not None]
    if not moments:
        return {}
    first = horizons.before(min(moments)).first
    last = min(horizons.after(max(moments), horizons.HORIZONS[-1]).last, today)
    by_keyword = {each.keyword_id for each in due if each.keyword_id is not None}
    by_page = {page_key_of(each.url) for each in due if each.keyword_id is None and each.url is not None}
    searched = _clicked(context, "keyword_id", by_keyword, coverage(context, {"query"}, first, last))
    visited = _clicked(context, "page_key", by_page, coverage(context, {"page"}, first, last)) if by_page else _Told()
    ranked = _ranked(context, by_keyword, first, last)
    found: dict[str, Observed] = {}
    for each in due:
        if each.keyword_id is not None:
            told, subject = searched, each.keyword_id
        else:
            told, subject = visited, "" if each.url is None else page_key_of(each.url)
        found[each.opportunity_id] = Observed(
            periods=told.periods, clicked=told.clicked.get(subject, ()), ranked=ranked.get(subject, ())
        )
    return found


@dataclass(frozen=True, slots=True)
class _Told:
    """What search performance says of some subjects."""

    periods: Sequence[tuple[date, date]] = ()
    clicked: Mapping[str, Sequence[Clicked]] = field(default_factory=dict)


def _clicked(context: Context, column: str, subjects: set[str], chosen: Coverage) -> _Told:
    if not chosen.portions or not subjects:
        return _Told()
    found: dict[str, list[Clicked]] = defaultdict(list)
    sql = CLICKS_SQL.format(subject=column)
    for row in rows(context, sql, chosen.parameters() | {"subjects": sorted(subjects)}):
        found[row["subject"]].append(
            Clicked(
                first=row["first"],
                last=row["last"],
                clicks=int(row["clicks"]),
                impressions=int(row["impressions"]),
                position=row["position"],
            )
        )
    return _Told([(portion.first, portion.last) for portion in chosen.portions], found)


def _ranked(context: Context, subjects: set[str], first: date, last: date) -> dict[str, list[Ranked]]:
    """Return looks at result pages that count for the keyword's rank: of its own device and locale, if it has any."""
    if not subjects:
        return {}
    keywords = Repository(KEYWORDS, context).get_many(sorted(subjects))
    found: dict[str, list[Ranked]] = defaultdict(list)
    for row in rows(context, RANKS_SQL, {"first": first, "last": last, "subjects": sorted(subjects)}):
        record = keywords.get(row["keyword_id"])
        if record is None or _counts(record.value, row):
            found[row["keyword_id"]].append(Ranked(day=row["date"], position=row["position"]))
    return found


def _counts(keyword: Keyword, row: Mapping[str, Any]) -> bool:
    return keyword.device in {None, row["device"]} and keyword.locale in {None, row["locale"]}
