"""Content gaps as opportunities: keywords that competitors are found for and we are not, and what a page is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from common.aso import gain
from common.aso.detectors.content_gap import (
    CHECKED_WITHIN_DAYS,
    Conversion,
    conversion_weight,
    rivals_of,
    why_not,
)
from common.aso.detectors.gap_query import gaps
from common.aso.detectors.models import ContentGapDetection
from common.aso.detectors.scanning import Findings, detection, opportunity
from common.aso.entities import KEYWORDS
from common.aso.gain_model.model import Expected, GainModel
from common.aso.gain_model.scale import content_gap, landed
from common.aso.gain_model.service import gain_model_of
from common.aso.models import Keyword, Opportunity
from common.aso.opportunity_rules import Demand, demand_of
from common.aso.site.service import site_of
from common.context import Context
from common.errors import Unprocessable
from common.store import Repository


def content_gap_now(context: Context) -> ContentGapDetection:
    """Look for content gaps while the caller waits.

    Raises:
        Unprocessable: ``no_competitors``: the tenant has named none.
        Unavailable: A dependency does not answer.
    """
    found = detection(context, "content_gap", detect, ContentGapDetection)
    if not found.competitors:
        message = "A gap is one against competitors: name some first (PUT /v1/aso/competitors)."
        raise Unprocessable("no_competitors", message)
    return found


def detect(context: Context, known: Sequence[str], limit: int, now: datetime) -> Findings:
    """Return the content gaps.

    Without competitors nothing is a gap: what was one is closed, once, and the verdict says why.

    Raises:
        Unavailable: A dependency does not answer.
    """
    site = site_of(context)
    if not site.competitors:
        return Findings(verdict="judged" if known else "no_competitors", otherwise="competitors_not_set")
    told = gaps(context, site.competitors, now.date(), limit, known)
    competitors, model = frozenset(site.competitors), gain_model_of(context, site)
    wanted = sorted({*told.gap_ids, *known})
    stored = {name: record.value for name, record in Repository(KEYWORDS, context).get_many(wanted).items()}
    candidates: list[Opportunity] = []
    reasons: dict[str, str] = {}
    for name in wanted:
        keyword = stored.get(name)
        reason = why_not(keyword, competitors, now.date())
        found = (
            None if keyword is None or reason else opportunity_of(keyword, competitors, model, told.conversions, now)
        )
        if found is not None:
            candidates.append(found)
        else:
            reasons[name] = reason or "demand_unknown"
    return Findings(
        candidates=candidates,
        beyond=max(0, told.gaps - told.without_demand - len(candidates)),
        reasons=reasons,
        figures={
            "competitors": list(site.competitors),
            "gaps": told.gaps,
            "without_demand": told.without_demand,
            "unchecked": told.unchecked,
            "unchecked_keywords": [{"keyword_id": name, "keyword": text} for name, text in told.unchecked_keywords],
        },
        wake_at=_ends_at([stored[each.subject_id] for each in candidates]),
    )


def _ends_at(keywords: Sequence[Keyword]) -> datetime | None:
    """Return when the first check that a gap rests on no longer counts."""
    checked = [each.last_checked.astimezone(UTC).date() for each in keywords if each.last_checked is not None]
    if not checked:
        return None
    return datetime.combine(min(checked) + timedelta(days=CHECKED_WITHIN_DAYS + 1), time.min, UTC)


def opportunity_of(
    keyword: Keyword,
    competitors: frozenset[str],
    model: GainModel,
    conversions: Mapping[str, Conversion],
    now: datetime,
) -> Opportunity | None:
    """Return the opportunity that a gap is, or None where its demand is unknown or nothing."""
    demand = demand_of(keyword)
    segment = model.segment_of(keyword.keyword)
    expected = (
        None
        if demand is None
        else content_gap(model, demand=demand.monthly, difficulty=keyword.difficulty_score, segment=segment)
    )
    if demand is None or expected is None or expected.target is None or keyword.last_checked is None:
        return None
    rivals, weight = rivals_of(keyword, competitors), conversion_weight(keyword.intent, conversions)
    return opportunity(
        keyword.tenant_id,
        "content_gap",
        now,
        keyword=keyword.keyword,
        keyword_id=keyword.keyword_id,
        subject_id=keyword.keyword_id,
        confidence_score=_confidence(keyword, demand, (now.date() - keyword.last_checked.astimezone(UTC).date()).days),
        estimated_traffic=round(demand.monthly * model.click_through(expected.target, segment)),
        estimated_difficulty=keyword.difficulty_score,
        recommendation=recommendation(keyword, expected, list(rivals)),
        current_ranking=keyword.current_ranking,
        search_volume=keyword.search_volume,
        observed_impressions=keyword.observed_impressions if demand.basis == "observed_impressions" else None,
        demand_basis=demand.basis,
        monthly_demand=round(demand.monthly, 2),
        opportunity_score=gain.seed_score(keyword.search_volume, keyword.difficulty_score),
        reasons=reasons_of(keyword, demand, expected, rivals, weight, model),
        evidence=_evidence(keyword, rivals, weight),
        content_id=keyword.content_id,
        **_landed(model, expected, weight),
    )


def _landed(model: GainModel, expected: Expected, weight: float | None) -> dict[str, Any]:
    """Return the place on the scale, its value in money weighed with what visits of the intent convert."""
    place = landed(model, expected)
    if weight is not None and place["expected_value_minor"] is not None:
        place["expected_value_minor"] = round(place["expected_value_minor"] * weight)
    return place


def _confidence(keyword: Keyword, demand: Demand, age_days: int) -> float:
    known = keyword.difficulty_score is not None
    score = gain.confidence(
        basis=demand.basis, period_known=demand.period_known, difficulty_known=known, age_days=age_days
    )
    return round(score, 4)


def _evidence(keyword: Keyword, rivals: Mapping[str, int], weight: float | None) -> Mapping[str, object]:
    return {
        "competitors": dict(rivals),
        "own_rank": keyword.current_ranking,
        "conversion_weight": None if weight is None else round(weight, 4),
    }


def recommendation(keyword: Keyword, expected: Expected, rivals: Sequence[str]) -> str:
    """Return what to do: a page where there is none, or a better one."""
    shown = " and ".join(rivals[:2])
    if keyword.content_id is not None:
        return (
            f"Rewrite the page meant for {keyword.keyword!r} after what {shown} answer, and link to it from its hub: "
            f"nobody finds it, and rank {expected.target} is within reach."
        )
    return (
        f"Publish a page for {keyword.keyword!r} under the hub it belongs to, aiming at rank {expected.target}: "
        f"{shown} are found for it and we are not."
    )


def reasons_of(
    keyword: Keyword,
    demand: Demand,
    expected: Expected,
    rivals: Mapping[str, int],
    weight: float | None,
    model: GainModel,
) -> list[str]:
    """Return why, with every figure the estimate rests on."""
    own = "not found" if keyword.current_ranking is None else f"at rank {keyword.current_ranking}"
    named = ", ".join(f"{host} at {position}" for host, position in list(rivals.items())[:5])
    basis = "searches" if demand.basis == "search_volume" else "impressions observed"
    told = [
        f"{len(rivals)} competitors rank in the first ten: {named}.",
        f"Our own page is {own}.",
        f"Demand: {demand.monthly:.0f} {basis} a month.",
        f"Chance to get to rank {expected.target} from nowhere {expected.reach:.0%} (model {model.version}).",
        f"Expected gain {expected.gain:.1f} visits a month.",
    ]
    if weight is not None:
        told.append(f"Visits of this intent convert {weight:.2f} times as well as this tenant's average.")
    return told
