"""What came of one opportunity: visits a month before and after it was acted on, from what was observed.

Two bases, the first that has data on both sides:

``clicks``
    Visits counted (search performance): clicks of the days with data, brought to 30 days. Days count as data where the
    source told of any search of the tenant; at least ``LEAST_DAYS`` of the 28 on each side. A subject that the source
    does not name is *not* a subject without visits (sources leave rare searches out): nothing was observed then.
``rank``
    Demand the gain was predicted from, times the mean click-through at the ranks observed. "Not found" is an
    observation: no visits.

Only for a content gap is nothing known before the action a zero: the page did not exist. Everything else that is
missing makes the outcome not measurable, with the reason, and never zero. The difference of the two sides is what
happened, not what the action caused: season and competitors are in it, on the basis of ranks the demand is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from common.aso.gain_model import horizons
from common.aso.gain_model.horizons import Window
from common.aso.gain_model.model import UNRANKED, GainModel
from common.aso.gain_model.models import GainBasis, Horizon, OpportunityOutcome, OutcomeReason
from common.aso.models import Opportunity
from common.aso.opportunity_rules import MONTH_DAYS
from common.identifiers import derived_uuid

LEAST_DAYS = 14
REACHED_WITHIN = 0.5
"""A mean rank this close to the rank aimed at has reached it: it is nearer to it than to the next."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clicked:
    """What search performance says of a subject in one day or period."""

    first: date
    last: date
    clicks: int
    impressions: int
    position: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranked:
    """A successful look at a result page; ``position`` None: not found."""

    day: date
    position: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """Everything known of a subject.

    Attributes:
        periods: Days and periods that search performance has data of, whatever the search; none overlaps another.
        clicked: What it says of the subject, in such periods.
        ranked: Looks at result pages.
    """

    periods: Sequence[tuple[date, date]] = ()
    clicked: Sequence[Clicked] = ()
    ranked: Sequence[Ranked] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One side of the comparison.

    Attributes:
        visits: A month; None where not known.
        rank: Mean rank; None where not known.
        days: Days with data behind ``visits``.
    """

    visits: float | None
    rank: float | None
    days: int


def outcome_id_of(tenant_id: str, opportunity_id: str, horizon: Horizon) -> str:
    """Return the id of an outcome: measuring twice finds the first one."""
    return str(derived_uuid("aso.outcome", tenant_id, opportunity_id, str(horizon)))


def measured(
    opportunity: Opportunity, horizon: Horizon, observed: Observed, model: GainModel, now: datetime
) -> OpportunityOutcome:
    """Return what came of an opportunity.

    Args:
        opportunity: That was acted on.
        horizon: Days after the action.
        observed: What is known of its subject.
        model: Click-through for the basis of ranks, and what a visit is worth.
        now: Moment of the measurement.
    """
    if opportunity.acted_at is None:
        return _outcome(opportunity, horizon, now, reason="action_date_unknown")
    before, after = horizons.before(opportunity.acted_at), horizons.after(opportunity.acted_at, horizon)
    clicks = _by_clicks(observed, before), _by_clicks(observed, after)
    ranks = _by_rank(opportunity, observed, before, model), _by_rank(opportunity, observed, after, model)
    if opportunity.opportunity_type == "content_gap":
        clicks = _absent(clicks[0], known=clicks[0].days > 0), clicks[1]
        ranks = _absent(ranks[0], known=True), ranks[1]
    basis: GainBasis = "rank" if any(side.visits is None for side in clicks) else "clicks"
    one, other = clicks if basis == "clicks" else ranks
    if one.visits is None or other.visits is None:
        unseen = clicks[0].visits is None and ranks[0].visits is None
        reason: OutcomeReason = "nothing_observed_before" if unseen else "nothing_observed_after"
        if not opportunity.keyword_id and not opportunity.url:
            reason = "nothing_to_observe"
        return _outcome(opportunity, horizon, now, reason=reason)
    known = Side(visits=one.visits, days=one.days, rank=ranks[0].rank or clicks[0].rank)
    then = Side(visits=other.visits, days=other.days, rank=ranks[1].rank or clicks[1].rank)
    return _outcome(opportunity, horizon, now, basis=basis, before=known, after=then, model=model)


def _by_clicks(observed: Observed, window: Window) -> Side:
    days = sum((last - first).days + 1 for first, last in observed.periods if window.holds(first, last))
    within = [each for each in observed.clicked if window.holds(each.first, each.last)]
    rank = _mean((each.position, each.impressions) for each in within if each.position is not None)
    if days < LEAST_DAYS:
        return Side(visits=None, rank=rank, days=0)
    if not within:
        return Side(visits=None, rank=None, days=days)
    return Side(visits=sum(each.clicks for each in within) * MONTH_DAYS / days, rank=rank, days=days)


def _by_rank(opportunity: Opportunity, observed: Observed, window: Window, model: GainModel) -> Side:
    found = [each for each in observed.ranked if window.holds(each.day, each.day)]
    places = [UNRANKED if each.position is None else each.position for each in found]
    rank = _mean((place, 1) for place in places)
    demand, days = opportunity.monthly_demand, len({each.day for each in found})
    if demand is None or not places:
        return Side(visits=None, rank=rank, days=days)
    segment = model.segment_of(opportunity.keyword)
    shares = math.fsum(model.click_through(place, segment) for place in places) / len(places)
    return Side(visits=demand * shares, rank=rank, days=days)


def _absent(side: Side, *, known: bool) -> Side:
    """Return a side of no visits where nothing was observed of what is known not to have been there."""
    return Side(visits=0.0, rank=side.rank, days=side.days) if side.visits is None and known else side


def _mean(weighted: Iterable[tuple[float, float]]) -> float | None:
    found = [(value, weight) for value, weight in weighted if weight > 0]
    total = math.fsum(weight for _, weight in found)
    return math.fsum(value * weight for value, weight in found) / total if found else None


def _outcome(
    opportunity: Opportunity,
    horizon: Horizon,
    now: datetime,
    *,
    reason: OutcomeReason | None = None,
    basis: GainBasis | None = None,
    before: Side | None = None,
    after: Side | None = None,
    model: GainModel | None = None,
) -> OpportunityOutcome:
    day = now.date() if opportunity.acted_at is None else horizons.after(opportunity.acted_at, horizon).last
    outcome = OpportunityOutcome(
        outcome_id=outcome_id_of(opportunity.tenant_id, opportunity.opportunity_id, horizon),
        tenant_id=opportunity.tenant_id,
        opportunity_id=opportunity.opportunity_id,
        opportunity_type=opportunity.opportunity_type,
        keyword=opportunity.keyword,
        keyword_id=opportunity.keyword_id,
        subject_id=opportunity.subject_id,
        horizon_days=horizon,
        date=day.isoformat(),
        acted_at=opportunity.acted_at,
        state="measured" if reason is None else "not_measurable",
        reason=reason,
        basis=basis,
        predicted_gain=opportunity.expected_gain,
        gain_low=opportunity.gain_low,
        gain_high=opportunity.gain_high,
        predicted_reach=opportunity.gain_reach_probability,
        currency=opportunity.currency,
        current_ranking=opportunity.current_ranking,
        reachable_ranking=opportunity.reachable_ranking,
        difficulty=opportunity.estimated_difficulty,
        gain_model=opportunity.gain_model,
        measured_at=now,
        created_at=now,
    )
    if before is None or after is None or model is None:
        return outcome
    return outcome.model_copy(update=_realised(opportunity, before, after, model))


def _realised(opportunity: Opportunity, before: Side, after: Side, model: GainModel) -> Mapping[str, object]:
    assert before.visits is not None
    assert after.visits is not None
    gain, target = after.visits - before.visits, opportunity.reachable_ranking
    return {
        "realised_gain": round(gain, 2),
        "realised_value_minor": model.value_minor(gain),
        "currency": model.currency if model.value_per_visit_minor is not None else opportunity.currency,
        "rank_before": None if before.rank is None else round(before.rank, 2),
        "rank_after": None if after.rank is None else round(after.rank, 2),
        "reached": None if after.rank is None or target is None else after.rank <= target + REACHED_WITHIN,
        "visits_before": round(before.visits, 2),
        "visits_after": round(after.visits, 2),
        "days_before": before.days,
        "days_after": after.days,
    }
