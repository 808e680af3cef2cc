"""What to do about an opportunity: one sentence a person can act on, and the reasons with the numbers used."""

from __future__ import annotations

from datetime import UTC, date

from common.aso.gain import CLICK_THROUGH_SOURCE
from common.aso.gain_model.model import EVERYTHING, Expected, GainModel, Segment
from common.aso.models import Keyword, OpportunityType
from common.aso.opportunity_rules import LONGEST_EXPORT_DAYS, Demand

DEEP_RANK = 15
HARD = 60.0


def recommendation(keyword: Keyword, opportunity_type: OpportunityType, expected: Expected) -> str:
    """Return the action, fitted to where the page is and to what is missing.

    Args:
        keyword: The keyword with a current rank.
        opportunity_type: Type of the opportunity.
        expected: The rank to aim at.
    """
    aim = f"to move {keyword.keyword!r} from rank {keyword.current_ranking} to {expected.target}"
    if keyword.content_id is None:
        action = "Assign the ranking page to this keyword, or publish a spoke for it under its hub, and extend it"
        return f"{action} {aim}."
    if opportunity_type == "low_hanging_fruit":
        deep = (keyword.current_ranking or 0) > DEEP_RANK
        action = (
            "Rewrite the page so that it answers the search completely, and link to it from its hub and spokes"
            if deep
            else "Extend the page and link to it from its hub and two related spokes"
        )
        return f"{action} {aim}."
    if keyword.difficulty_score is not None and keyword.difficulty_score >= HARD:
        return f"Win links from other sites and sharpen title and description {aim}: the competition is strong."
    if expected.target == 1:
        return f"Match title and description to the search and add what the first result has {aim}."
    return f"Match title and description to the search and refresh the content {aim}."


def reasons(
    keyword: Keyword, demand: Demand, expected: Expected, today: date, model: GainModel, segment: Segment
) -> list[str]:
    """Return why, with every number the estimate rests on and what is assumed.

    Args:
        keyword: The keyword with a current rank and a check.
        demand: Its demand.
        expected: The expectation computed from both.
        today: Day of the scan, UTC.
        model: What it was computed with.
        segment: Whose click-through was used.
    """
    rank = keyword.current_ranking or 0
    return [
        _checked(keyword, rank, today),
        _demand(keyword, demand),
        _difficulty(keyword),
        _click_through(rank, expected.target or 0, model, segment),
        f"Chance to get there {expected.reach:.0%}: {_reach(model)}.",
        f"Expected gain {expected.gain:.1f} visits a month, 90 % interval {expected.low:.1f} to {expected.high:.1f}.",
    ]


def _click_through(rank: int, target: int, model: GainModel, segment: Segment) -> str:
    now, then = model.click_through(rank, segment), model.click_through(target, segment)
    used = next((key for key in segment.keys if key in model.curves), None)
    if used is None:
        return f"Click-through prior {now:.2%} at rank {rank}, {then:.2%} at rank {target} ({CLICK_THROUGH_SOURCE})."
    whose = "all searches" if used == EVERYTHING else f"{used} searches"
    return f"Click-through of this site's {whose} {now:.2%} at rank {rank}, {then:.2%} at rank {target}."


def _reach(model: GainModel) -> str:
    fitted = "reach-" in model.version
    return "fitted to what came of earlier opportunities" if fitted else "a prior, not yet fitted to this site"


def _checked(keyword: Keyword, rank: int, today: date) -> str:
    assert keyword.last_checked is not None
    age = (today - keyword.last_checked.astimezone(UTC).date()).days
    when = "today" if age <= 0 else "yesterday" if age == 1 else f"{age} days ago"
    return f"Ranks {rank}, checked {when}."


def _demand(keyword: Keyword, demand: Demand) -> str:
    if demand.basis == "search_volume":
        return f"Demand: {keyword.search_volume} searches a month."
    seen = f"Demand: {keyword.observed_impressions} impressions observed in Search Console"
    if demand.period_known:
        return f"{seen} over {keyword.observed_days} days, {demand.monthly:.0f} a month; the search volume is unknown."
    return (
        f"{seen} over an unknown period, counted as the longest it exports ({LONGEST_EXPORT_DAYS} days): at least "
        f"{demand.monthly:.0f} a month; the search volume is unknown."
    )


def _difficulty(keyword: Keyword) -> str:
    if keyword.difficulty_score is None:
        return "Difficulty unknown: the chance is computed as for a medium one (50), and the confidence is lower."
    return f"Difficulty {keyword.difficulty_score:g} of 100."
