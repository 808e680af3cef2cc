"""The weekly fit of a tenant's gain model: its click-through curves and its chance to reach a rank.

Due are tenants with new search performance, new figures of keywords, or newly measured outcomes since their last fit.
A fit writes one document for the curves and one for the chance to reach a rank; a version counts how often either
changed, so that figures computed with it can name it. When one changed the tenant is due for a scan, which brings the
stored opportunities that moved far enough up to date (``common.aso.opportunities.is_moved``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from common import cache
from common.answers import Cached
from common.aso.entities import CTR_FIT, SCAN
from common.aso.gain import REACH_PRIOR
from common.aso.gain_model import curve, reach_fit
from common.aso.gain_model.caches import ASO_CALIBRATION, ASO_CTR_CURVES
from common.aso.gain_model.curve import Fitted
from common.aso.gain_model.curve_query import Evidence, evidence
from common.aso.gain_model.entities import CTR_CURVES, REACH_MODELS
from common.aso.gain_model.model import EVERYTHING, UNRANKED
from common.aso.gain_model.models import CtrCurves, CtrSegment, CurveQuery, FitResult, FitTask, ReachModel
from common.aso.gain_model.reach_fit import Attempts, ReachFit
from common.aso.site.service import site_of
from common.context import Context
from common.store import Repository, Work, transact
from common.warehouse import marks
from common.warehouse.due import enqueue_due
from common.warehouse.query import rows

TENANT_TASK = "aso-ctr-fit-tenant"
DIGITS = 9
"""Decimals of a stored share: sums of floats differ in the last bits from run to run, and are the same then."""
OUTCOME_DAYS = 730

REACH_SQL = """\
WITH newest AS (
  SELECT
    COALESCE(current_ranking, @unranked) AS current_ranking,
    reachable_ranking,
    CAST(FLOOR(difficulty + 0.5) AS INT64) AS difficulty_point,
    reached
  FROM {opportunity_outcomes_latest}
  WHERE date >= @oldest_day AND reached IS NOT NULL AND reachable_ranking IS NOT NULL
  QUALIFY ROW_NUMBER() OVER (PARTITION BY opportunity_id ORDER BY horizon_days DESC) = 1
)
SELECT
  current_ranking,
  reachable_ranking,
  difficulty_point,
  COUNT(*) AS number,
  COUNTIF(reached) AS reached
FROM newest
GROUP BY current_ranking, reachable_ranking, difficulty_point
"""
"""One attempt an opportunity, as its last measurement saw it."""


def enqueue_changed(context: Context, now: datetime | None = None) -> int:
    """Make a task for every tenant whose model is due to be fitted again; return how many.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer.
    """
    return enqueue_due(context, CTR_FIT, TENANT_TASK, lambda claim: FitTask(working_since=claim.working_since), now=now)


def fit_claimed(context: Context, task: FitTask, now: datetime | None = None) -> FitResult:
    """Fit the tenant of a task and end its claim.

    Raises:
        Unavailable: A dependency does not answer; the task is tried again.
    """
    result = fit(context, now)
    marks.finish(context, CTR_FIT, context.tenant_id, marks.EVERYTHING, task.working_since)
    return result


def fit(context: Context, now: datetime | None = None) -> FitResult:
    """Fit the tenant's curves and its chance to reach a rank. Fitting twice changes nothing but the time of the fit.

    Args:
        context: Tenant, clients and deadline.
        now: The time to go by; None for the present.

    Raises:
        Unavailable: A dependency does not answer.
    """
    moment = now or datetime.now(UTC)
    seen = evidence(context, site_of(context).brand_terms, moment.date())
    fitted = curve.fit_all(seen.segments)
    reached = reach_fit.fit(attempts(context, moment.date()))

    def work(work: Work) -> FitResult:
        curves, curves_changed = _curves(work, seen, fitted, moment)
        reach, reach_changed = _reach(work, reached, moment)
        return FitResult(changed=curves_changed or reach_changed, curves=curves, reach=reach)

    result = transact(context, work)
    cache.invalidate(context.clients, context.tenant_id, [ASO_CALIBRATION.name])
    if result.changed:
        marks.set_marks(context, context.tenant_id, [(SCAN, marks.EVERYTHING)])
    return result


def attempts(context: Context, today: date) -> list[Attempts]:
    """Return what came of opportunities, by rank, rank aimed at and difficulty.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    found = rows(context, REACH_SQL, {"oldest_day": today - timedelta(days=OUTCOME_DAYS), "unranked": UNRANKED})
    return [
        Attempts(
            current=row["current_ranking"],
            target=row["reachable_ranking"],
            difficulty=row["difficulty_point"],
            number=row["number"],
            reached=row["reached"],
        )
        for row in found
    ]


def listed(context: Context, query: CurveQuery) -> Cached[CtrCurves]:
    """Return the tenant's curves through the cache ``aso_ctr_curves``; before the first fit the prior."""

    def compute() -> CtrCurves:
        record = Repository(CTR_CURVES, context).find(context.tenant_id)
        curves = _never_fitted(context.tenant_id) if record is None else record.value
        if query.segment is None:
            return curves
        segments = [each for each in curves.segments if each.key == query.segment]
        return curves.model_copy(update={"segments": segments})

    return cache.read_through(context, ASO_CTR_CURVES, query.model_dump(), compute)


def _never_fitted(tenant_id: str) -> CtrCurves:
    prior = curve.fit_all({EVERYTHING: curve.added([])})[EVERYTHING]
    return CtrCurves(tenant_id=tenant_id, version=0, basis="none", segments=[_segment(EVERYTHING, prior)])


def _curves(work: Work, seen: Evidence, fitted: dict[str, Fitted], now: datetime) -> tuple[CtrCurves, bool]:
    """Write the curves; return them and whether they differ from before."""
    record = work.find(CTR_CURVES, work.context.tenant_id)
    segments = [_segment(key, fitted[key]) for key in sorted(fitted, key=lambda key: (key != EVERYTHING, key))]
    changed = _shape(segments) != ([] if record is None else _shape(record.value.segments))
    before = None if record is None else record.value
    curves = CtrCurves(
        tenant_id=work.context.tenant_id,
        version=(before.version if before else 0) + int(changed),
        basis=seen.basis,
        from_date=seen.from_date.isoformat(),
        until_date=seen.until_date.isoformat(),
        rows_used=seen.rows_used,
        rows_left_out=seen.rows_left_out,
        segments=segments,
        fitted_at=now,
        created_at=before.created_at if before else now,
        updated_at=now if changed or before is None else before.updated_at,
    )
    if record is None:
        return work.create(CTR_CURVES, curves), changed
    return work.update(CTR_CURVES, record, curves), changed


def _shape(segments: Sequence[CtrSegment]) -> list[tuple[str, list[float]]]:
    """Return what a change of is a change of the model: the curves that were fitted."""
    return [(each.key, each.click_through) for each in segments if each.state == "fitted"]


def _segment(key: str, fitted: Fitted) -> CtrSegment:
    return CtrSegment(
        key=key,
        state="fitted" if fitted.reason is None else "kept",
        reason=fitted.reason,
        parent=fitted.parent,
        strength=round(fitted.curve.strength, DIGITS),
        total_impressions=round(sum(fitted.counts.impressions)),
        total_clicks=round(sum(fitted.counts.clicks)),
        click_through=[round(each, DIGITS) for each in fitted.curve.click_through],
        impressions=[round(each, 3) for each in fitted.counts.impressions],
        clicks=[round(each, 3) for each in fitted.counts.clicks],
    )


def _reach(work: Work, fitted: ReachFit, now: datetime) -> tuple[ReachModel, bool]:
    """Write the chance to reach a rank; return it and whether it differs from before."""
    record = work.find(REACH_MODELS, work.context.tenant_id)
    before = None if record is None else record.value
    coefficients = [round(each, DIGITS) for each in fitted.coefficients]
    known = list(REACH_PRIOR) if before is None else [
        before.intercept, before.per_difficulty, before.per_log_rank
    ]  # fmt: skip
    changed = coefficients != known
    reach = ReachModel(
        tenant_id=work.context.tenant_id,
        version=(before.version if before else 0) + int(changed),
        intercept=coefficients[0],
        per_difficulty=coefficients[1],
        per_log_rank=coefficients[2],
        covariance=[cell for row in fitted.covariance for cell in row],
        attempts=fitted.attempts,
        reached=fitted.reached,
        reason=fitted.reason,
        fitted_at=now,
        created_at=before.created_at if before else now,
        updated_at=now if changed or before is None else before.updated_at,
    )
    if record is None:
        return work.create(REACH_MODELS, reach), changed
    return work.update(REACH_MODELS, record, reach), changed
