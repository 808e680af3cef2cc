"""Cannibalisation as opportunities: searches that pages share as rivals, and what one page for them is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

from common.aso.detectors.cannibalization import (
    OBSERVED_DAYS,
    Conflict,
    MergeGain,
    conflict_of,
    merge_gain,
    shared,
)
from common.aso.detectors.cannibalization_query import OLDEST_NEWEST_DAYS, Shared, SharedSearch, shared_searches
from common.aso.detectors.models import CannibalizationDetection, Verdict
from common.aso.detectors.scanning import (
    Findings,
    detection,
    followed,
    keywords_named,
    observed_confidence,
    opportunity,
    pieces_at,
)
from common.aso.gain_model.model import Expected, GainModel
from common.aso.gain_model.scale import landed
from common.aso.gain_model.service import gain_model_of
from common.aso.models import ContentPiece, Keyword, Opportunity
from common.aso.opportunity_rules import MONTH_DAYS
from common.context import Context


def cannibalization_now(context: Context) -> CannibalizationDetection:
    """Look for pages that share a search while the caller waits.

    Raises:
        Unavailable: A dependency does not answer.
    """
    return detection(context, "cannibalization", detect, CannibalizationDetection)


def detect(context: Context, known: Sequence[str], limit: int, now: datetime) -> Findings:
    """Return the searches that pages share as rivals.

    Raises:
        Unavailable: A dependency does not answer.
    """
    told = shared_searches(context, now.date(), limit, known)
    verdict = verdict_of(told, now)
    figures: dict[str, object] = {
        "data_until": None if told.newest is None else told.newest.isoformat(),
        "observed_days": told.observed_days,
        "searches_shared": told.flagged,
    }
    if verdict != "judged" or not told.searches:
        return Findings(verdict=verdict, figures=figures, otherwise="pages_no_longer_rivals")
    model = gain_model_of(context)
    keywords = keywords_named(context, [search.query for search in told.searches])
    best = {search.keyword_id: _best(search) for search in told.searches}
    pieces = pieces_at(context, [page for page in best.values() if page is not None])
    candidates: list[Opportunity] = []
    reasons: dict[str, str] = {}
    for search in told.searches:
        keyword, piece = keywords.get(search.query), pieces.get(best[search.keyword_id] or "")
        found = opportunity_of(context, search, told, keyword, piece, model, now)
        if found is None:
            reasons[search.keyword_id] = "merging_wins_nothing"
        else:
            candidates.append(found)
    return Findings(
        candidates=candidates,
        beyond=told.flagged - len(told.searches),
        reasons=reasons,
        otherwise="pages_no_longer_rivals",
        figures=figures | {"without_gain": len(reasons)},
    )


def verdict_of(told: Shared, now: datetime) -> Verdict:
    """Return whether there was enough to judge by."""
    if told.newest is None:
        return "no_data"
    if (now.date() - told.newest).days > OLDEST_NEWEST_DAYS:
        return "data_too_old"
    return "judged" if told.observed_days >= OBSERVED_DAYS else "too_few_days"


def _best(search: SharedSearch) -> str | None:
    """Return the page to keep: of the rivals the one clicked most, then the best placed."""
    rivals = shared(search.days).rivals
    return min(rivals, key=lambda page: (-page.clicks, page.position, page.page)).page if rivals else None


def opportunity_of(
    context: Context,
    search: SharedSearch,
    told: Shared,
    keyword: Keyword | None,
    piece: ContentPiece | None,
    model: GainModel,
    now: datetime,
) -> Opportunity | None:
    """Return the opportunity that a shared search is, or None where merging wins nothing."""
    conflict = conflict_of(search.days)
    if conflict is None or told.newest is None:
        return None
    pages, keep = [rival.page for rival in conflict.rivals], _best(search) or ""
    curve = model.curve(model.segment_of(search.query))
    merged = merge_gain(search.days, pages, curve.at, told.observed_days)
    if merged.visits <= 0:
        return None
    difficulty = None if keyword is None else keyword.difficulty_score
    expected = expected_of(conflict, merged, model, search.query, difficulty, told.observed_days)
    return opportunity(
        context.tenant_id,
        "cannibalization",
        now,
        keyword=search.query,
        keyword_id=search.keyword_id,
        subject_id=search.keyword_id,
        url=keep,
        confidence_score=observed_confidence(difficulty, (now.date() - told.newest).days),
        estimated_traffic=round(merged.searches * curve.at(conflict.merged_position)),
        recommendation=recommendation(search.query, keep, pages),
        current_ranking=round(conflict.best_position),
        observed_impressions=sum(rival.impressions for rival in conflict.rivals),
        demand_basis="observed_impressions",
        monthly_demand=round(merged.searches, 2),
        reasons=reasons_of(conflict, merged, expected, model),
        evidence=evidence_of(conflict, merged, search),
        **followed(keyword, piece),
        **(landed(model, expected) | {"reachable_ranking": round(conflict.merged_position)}),
    )


def expected_of(
    conflict: Conflict, merged: MergeGain, model: GainModel, query: str, difficulty: float | None, days: int
) -> Expected:
    """Return the merge gain weighed with the chance that the merged page reaches its rank.

    The interval takes the variance over days and that of the click-through at each rank, as independent.
    """
    curve = model.curve(model.segment_of(query))
    month = MONTH_DAYS / days
    variance = merged.deviation**2 + merged.searches**2 * curve.variance(conflict.merged_position)
    variance += math.fsum(
        (rival.impressions * month) ** 2 * curve.variance(rival.position) for rival in conflict.rivals
    )
    return model.weighed(
        merged.visits,
        current=conflict.best_position,
        target=conflict.merged_position,
        difficulty=difficulty,
        spread=math.sqrt(variance),
    )


def recommendation(query: str, keep: str, pages: Sequence[str]) -> str:
    """Return what to do."""
    others = [page for page in pages if page != keep]
    named = others[0] if len(others) == 1 else f"{', '.join(others[:-1])} and {others[-1]}"
    return (
        f"Merge {named} into {keep} and redirect there, or give each page a search of its own: they take turns for "
        f"{query!r}."
    )


def reasons_of(conflict: Conflict, merged: MergeGain, expected: Expected, model: GainModel) -> list[str]:
    """Return why, with every figure the estimate rests on."""
    shares = ", ".join(f"{rival.page} {rival.share:.0%} at rank {rival.position:.1f}" for rival in conflict.rivals[:5])
    return [
        f"{len(conflict.rivals)} pages share the search: {shares}.",
        f"The leading page changed {conflict.switches} times in {conflict.days} days.",
        f"Severity {conflict.severity:.2f}: the inverse Herfindahl index, 1 where one page has all impressions.",
        f"Merged, a prior of one rank better than the best of them: rank {conflict.merged_position:.1f}.",
        f"That is {merged.visits:+.1f} visits a month, between {merged.low:+.1f} and {merged.high:+.1f} (90 %).",
        f"Chance to get there {expected.reach:.0%} (model {model.version}).",
        f"Expected gain {expected.gain:.1f} visits a month.",
    ]


def evidence_of(conflict: Conflict, merged: MergeGain, search: SharedSearch) -> dict[str, object]:
    """Return the figures behind the finding."""
    pages: list[Mapping[str, object]] = [
        {
            "page": rival.page,
            "share": round(rival.share, 4),
            "impressions": rival.impressions,
            "visits": rival.clicks,
            "rank": round(rival.position, 2),
            "days_leading": rival.days_leading,
        }
        for rival in conflict.rivals
    ]
    return {
        "pages": pages,
        "severity": round(search.severity, 4),
        "days": conflict.days,
        "switches": conflict.switches,
        "merged_rank": round(conflict.merged_position, 2),
        "searches_a_month": round(merged.searches, 2),
        "merge_gain": {
            "visits": round(merged.visits, 2),
            "low": round(merged.low, 2),
            "high": round(merged.high, 2),
        },
    }
