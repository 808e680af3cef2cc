"""When a keyword is a content gap: competitors are found for it and we are known not to be.

At least two of the tenant's competitors rank in the first ten, and our own page ranks beyond 30 or was looked for and
not found. **Three values**: a keyword whose own rank nobody ever checked, or checked too long ago, is *unchecked* and
no gap; it is counted and shown apart, as something to check. A competitor stored without a position was looked for and
not found, and does not count.

Competitors count by registrable host, so that ``www.example.org`` and ``blog.example.org`` are one.

**What it is worth.** The gain is that of a page that does not rank yet (``common.aso.gain_model.scale.content_gap``).
Visits are not worth the same: where the tenant's pages tell, the value of the visits is weighed with how much more or
less than its average this tenant converts with the keyword's intent: conversions and visits of its pages by the intent
of the keywords they target, drawn to the average of all its pages as if it had ``PRIOR_VISITS`` visits more, and within
a factor of ``WEIGHT_WITHIN``. The gain in visits itself is not touched, so that all opportunities stay on one scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Literal

from common.aso.models import Keyword
from common.hosts import registrable_host

COMPETITORS_NEEDED = 2
COMPETITOR_WORST_RANK = 10
OWN_BEST_RANK = 30
"""Our own page is no answer beyond this rank."""
CHECKED_WITHIN_DAYS = 90
"""How long a check tells where we are: what a page does not exist for changes more slowly than a rank."""
PRIOR_VISITS = 1000.0
WEIGHT_WITHIN = 4.0

Standing = Literal["gap", "unchecked", "covered"]
"""``covered``: we rank, or too few competitors do."""

ClosedReason = Literal[
    "keyword_deleted", "competitors_not_set", "fewer_competitors_rank", "own_page_ranks", "not_checked_in_90_days"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """What pages brought that target keywords of one intent.

    Attributes:
        visits: Of pages whose conversions are known too.
        conversions: Of the same pages.
    """

    visits: float
    conversions: float


def oldest_day(today: date) -> date:
    """Return the first day on which a check still tells where we are."""
    return today - timedelta(days=CHECKED_WITHIN_DAYS)


def rivals_of(keyword: Keyword, competitors: frozenset[str]) -> dict[str, int]:
    """Return the competitors in the first ten for a keyword, with their best position, the best first.

    Args:
        keyword: With the rankings of competitors as stored: hosts or addresses.
        competitors: Registrable hosts.
    """
    best: dict[str, int] = {}
    for each in keyword.competitor_rankings:
        host = registrable_host(each.competitor)
        if host is None or host not in competitors or each.position is None:
            continue
        if each.position <= COMPETITOR_WORST_RANK:
            best[host] = min(each.position, best.get(host, each.position))
    return dict(sorted(best.items(), key=lambda item: (item[1], item[0])))


def standing(keyword: Keyword, competitors: frozenset[str], today: date) -> Standing:
    """Return whether a keyword is a gap, or would be one if somebody had looked."""
    if len(rivals_of(keyword, competitors)) < COMPETITORS_NEEDED:
        return "covered"
    if not checked(keyword, today):
        return "unchecked"
    rank = keyword.current_ranking
    return "gap" if rank is None or rank > OWN_BEST_RANK else "covered"


def checked(keyword: Keyword, today: date) -> bool:
    """Return whether it is known where our own page stands."""
    last = keyword.last_checked
    return last is not None and last.astimezone(UTC).date() >= oldest_day(today)


def why_not(keyword: Keyword | None, competitors: frozenset[str], today: date) -> ClosedReason | None:
    """Return why a keyword is no gap (any more), or None while it is one."""
    if keyword is None:
        return "keyword_deleted"
    if not competitors:
        return "competitors_not_set"
    if len(rivals_of(keyword, competitors)) < COMPETITORS_NEEDED:
        return "fewer_competitors_rank"
    if not checked(keyword, today):
        return "not_checked_in_90_days"
    return None if standing(keyword, competitors, today) == "gap" else "own_page_ranks"


def conversion_weight(intent: str | None, known: Mapping[str, Conversion]) -> float | None:
    """Return how many times the average visit one of an intent is worth; None where nothing is known.

    Args:
        intent: Of the keyword; None where the rules abstain.
        known: Conversions by intent.
    """
    visits = sum(each.visits for each in known.values())
    conversions = sum(each.conversions for each in known.values())
    if intent is None or visits <= 0 or conversions <= 0:
        return None
    average = conversions / visits
    if average == 0:  # too small for a number
        return None
    own = known.get(intent, Conversion(visits=0, conversions=0))
    rate = (own.conversions + PRIOR_VISITS * average) / (own.visits + PRIOR_VISITS)
    return min(max(rate / average, 1 / WEIGHT_WITHIN), WEIGHT_WITHIN)
