"""The tier of a keyword where the user gave none: a rule that can be told in three sentences.

* ``tier1``: demand above 100 searches a month and a difficulty below 50 (the bounds of document 000's low-hanging
  fruit), or an excellent Keyword Golden Ratio.
* ``tier2``: demand above 100 a month with a difficulty that is higher or unknown, or a good Keyword Golden Ratio.
* ``tier3``: everything else.

Demand is the search volume; where that is unknown, the observed impressions scaled to 30 days.
"""

from __future__ import annotations

from common.aso.models import KgrClass, Priority

DEMAND_ABOVE = 100
DIFFICULTY_BELOW = 50


def monthly_demand(search_volume: int | None, impressions: int | None, days: int | None) -> float | None:
    """Return searches a month, or observed impressions a month where the volume is unknown, or None."""
    if search_volume is not None:
        return float(search_volume)
    if impressions is None or not days:
        return None
    return impressions * 30 / days


def tier(demand: float | None, difficulty: float | None, kgr: KgrClass | None) -> Priority:
    """Return the tier by the rule of this module."""
    wanted = demand is not None and demand > DEMAND_ABOVE
    if kgr == "excellent" or (wanted and difficulty is not None and difficulty < DIFFICULTY_BELOW):
        return "tier1"
    if wanted or kgr == "good":
        return "tier2"
    return "tier3"
