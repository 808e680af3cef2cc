"""When a keyword is an opportunity, of which type, with which demand, and why one no longer holds.

Every rule asks for a successful rank check in the last 30 days, compared by day as in document 000:
``DATE(last_checked) >= DATE_SUB(today, 30 days)``, both in UTC.

``low_hanging_fruit``
    Exactly the detection query of document 000: ``10 < current_ranking <= 30``, ``difficulty_score < 50`` and
    ``search_volume > 100``. An unknown difficulty or volume is not below or above anything, so it is no member. The
    ``LIMIT 50`` of the document is the size of a page of the answer, not a rule of membership.

``rank_improvement``
    What the query of the document leaves aside, and never what it takes:

    * ranks 4 to 10 with ``search_volume > 100``, whatever the difficulty (known or not): most gain lies here;
    * ranks 11 to 30 with ``search_volume > 100`` and an *unknown* difficulty: nobody can say that the fruit hangs low;
    * ranks 4 to 30 with an *unknown* volume and ``observed_impressions > 100``: a bare Search Console export. Demand
      is then the impressions observed, brought to 30 days.

Demand from observed impressions is a floor of the true one: a page at rank 20 is seen by few who search. Where the
export did not say which days it covers, the impressions count as if they had taken the longest period Search Console
can export (16 months), so the stated gain is a floor too, and never an invented number.

A keyword that its tenant's own click-through curve expects nothing more of at any better rank is no opportunity,
whatever else holds (``no_gain_expected``): the published curve always falls, a fitted one may be flat.

The scan's query (``common.aso.scan_query``) asks the same questions in SQL, with the limits of this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Literal

from common.aso.gain import DemandBasis
from common.aso.models import Keyword, OpportunityType

CHECKED_WITHIN_DAYS = 30
FIRST_PAGE_END = 10
FRUIT_WORST_RANK = 30
IMPROVEMENT_BEST_RANK = 4
DIFFICULTY_BELOW = 50.0
VOLUME_ABOVE = 100
IMPRESSIONS_ABOVE = 100
MONTH_DAYS = 30
LONGEST_EXPORT_DAYS = 487

SCANNED_TYPES: tuple[OpportunityType, ...] = ("low_hanging_fruit", "rank_improvement")

ClosedReason = Literal[
    "keyword_deleted",
    "not_checked_in_30_days",
    "rank_unknown",
    "rank_left_11_to_30",
    "rank_left_4_to_30",
    "difficulty_unknown",
    "difficulty_not_below_50",
    "volume_unknown",
    "volume_not_above_100",
    "impressions_not_above_100",
    "replaced_by_low_hanging_fruit",
    "no_gain_expected",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """How many people look for a keyword.

    Attributes:
        monthly: Searches, or impressions seen, in 30 days.
        basis: Where the number comes from.
        period_known: Whether the days an observation covers are known; True for a search volume.
    """

    monthly: float
    basis: DemandBasis
    period_known: bool = True


def oldest_day(today: date) -> date:
    """Return the first day on which a check still counts."""
    return today - timedelta(days=CHECKED_WITHIN_DAYS)


def last_day(checked: date) -> date:
    """Return the last day on which a check of the day ``checked`` counts."""
    return checked + timedelta(days=CHECKED_WITHIN_DAYS)


def recently_checked(keyword: Keyword, today: date) -> bool:
    """Return whether the newest successful check counts."""
    checked = keyword.last_checked
    return checked is not None and checked.astimezone(UTC).date() >= oldest_day(today)


def demand_of(keyword: Keyword) -> Demand | None:
    """Return the demand for a keyword: its volume where known, else the impressions observed, else None."""
    if keyword.search_volume is not None:
        return Demand(monthly=float(keyword.search_volume), basis="search_volume")
    if keyword.observed_impressions is None:
        return None
    days = keyword.observed_days or LONGEST_EXPORT_DAYS
    return Demand(
        monthly=keyword.observed_impressions * MONTH_DAYS / days,
        basis="observed_impressions",
        period_known=keyword.observed_days is not None,
    )


def classify(keyword: Keyword, today: date) -> OpportunityType | None:
    """Return the type of opportunity a keyword is, or None."""
    rank, volume, difficulty = keyword.current_ranking, keyword.search_volume, keyword.difficulty_score
    if rank is None or not recently_checked(keyword, today) or not IMPROVEMENT_BEST_RANK <= rank <= FRUIT_WORST_RANK:
        return None
    if volume is None:
        seen = (keyword.observed_impressions or 0) > IMPRESSIONS_ABOVE
        return "rank_improvement" if seen else None
    if volume <= VOLUME_ABOVE:
        return None
    if rank <= FIRST_PAGE_END or difficulty is None:
        return "rank_improvement"
    return "low_hanging_fruit" if difficulty < DIFFICULTY_BELOW else None


def why_not(keyword: Keyword | None, opportunity_type: OpportunityType, today: date) -> ClosedReason | None:
    """Return the first condition of a type that a keyword fails, or None while it holds.

    Args:
        keyword: The keyword as stored; None if it was deleted.
        opportunity_type: One of ``SCANNED_TYPES``.
        today: The day of the scan, UTC.
    """
    if keyword is None:
        return "keyword_deleted"
    found = classify(keyword, today)
    if found == opportunity_type:
        return None
    if not recently_checked(keyword, today):
        return "not_checked_in_30_days"
    if keyword.current_ranking is None:
        return "rank_unknown"
    if opportunity_type == "low_hanging_fruit":
        return _fruit_failure(keyword, keyword.current_ranking)
    return _improvement_failure(keyword, keyword.current_ranking, found)


def _fruit_failure(keyword: Keyword, rank: int) -> ClosedReason:
    if not FIRST_PAGE_END < rank <= FRUIT_WORST_RANK:
        return "rank_left_11_to_30"
    if keyword.difficulty_score is None:
        return "difficulty_unknown"
    if keyword.difficulty_score >= DIFFICULTY_BELOW:
        return "difficulty_not_below_50"
    return "volume_unknown" if keyword.search_volume is None else "volume_not_above_100"


def _improvement_failure(keyword: Keyword, rank: int, found: OpportunityType | None) -> ClosedReason:
    if found == "low_hanging_fruit":
        return "replaced_by_low_hanging_fruit"
    if not IMPROVEMENT_BEST_RANK <= rank <= FRUIT_WORST_RANK:
        return "rank_left_4_to_30"
    if keyword.search_volume is None:
        return "impressions_not_above_100"
    if keyword.search_volume <= VOLUME_ABOVE:
        return "volume_not_above_100"
    return "difficulty_not_below_50"
