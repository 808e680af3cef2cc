"""The questions of the fit to the warehouse: clicks and impressions by rank and segment, a few hundred rows a tenant.

A row's mean position lies between two ranks; the query returns, for each whole rank, the sums and the sums of what
belongs to the next rank, so that whatever the number of facts the answer has the size of the segments.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from common.aso.gain import WORST_RANK
from common.aso.gain_model.curve import Counts, added
from common.aso.gain_model.model import EVERYTHING, Segment
from common.aso.gain_model.models import CurveBasis
from common.aso.performance.coverage import CHOSEN, Coverage, coverage
from common.context import Context
from common.warehouse.query import rows

WINDOWS = (90, 488)
"""Days of facts a fit looks at: a season; where there is nothing in it, the 16 months an export may span."""
KEYWORD_DAYS = 488
DEVICE_SHARE = 0.5
"""Rows split by device are taken where they cover at least this share of the days that any rows of searches do."""
MOST_FEATURES = 8
"""Curves by feature of the result page: those seen most often."""
PATIENCE = 120.0
DIGITS = 6
"""Counts are rounded to so many decimals: sums of floats in the warehouse differ in the last bits from run to run."""


def folded(column: str) -> str:
    """Return SQL for a search in the form in which searches are compared (``common.aso.normalize``)."""
    return f"TRIM(REGEXP_REPLACE(NORMALIZE_AND_CASEFOLD({column}, NFKC), r'\\s+', ' '))"


def branded(column: str) -> str:
    """Return SQL that tells whether a search names the brand (``@brand_pattern``); null where no brand is known."""
    return f"IF(@brand_pattern = '', NULL, REGEXP_CONTAINS({folded(column)}, @brand_pattern))"


def brand_pattern(terms: Iterable[str]) -> str:
    """Return what ``branded`` looks for: a normalised term as whole words; empty without terms.

    The same rule as ``common.aso.normalize.holds_term``. Cheaper for the warehouse than a loop over the terms of each
    of a million keywords.
    """
    escaped = [re.escape(term).replace("\\ ", " ") for term in terms]
    return f"(^| )({'|'.join(escaped)})( |$)" if escaped else ""


SUMS = """\
  SUM(impressions) AS impressions,
  SUM(clicks) AS clicks,
  SUM(impressions * beyond) AS impressions_beyond,
  SUM(clicks * beyond) AS clicks_beyond,
  COUNT(*) AS number"""

FACTS_SQL = f"""\
WITH sighted AS (
  SELECT
    query,
    device,
    features,
    clicks,
    impressions,
    position,
    COALESCE(position >= 1 AND impressions > 0 AND clicks >= 0 AND clicks <= impressions, FALSE) AS usable
  FROM {{search_performance_latest}}
  WHERE {CHOSEN}
    AND impressions != 0
),
placed AS (
  SELECT
    {branded("query")} AS brand,
    device,
    features,
    clicks,
    impressions,
    usable,
    IF(usable, CAST(FLOOR(position) AS INT64), 0) AS ranking,
    IF(usable, position - FLOOR(position), 0) AS beyond
  FROM sighted
  WHERE NOT usable OR position < @worst_rank + 1
)
SELECT brand, device, CAST(NULL AS STRING) AS feature, usable, ranking,
{SUMS}
FROM placed
GROUP BY brand, device, usable, ranking
UNION ALL
SELECT CAST(NULL AS BOOL) AS brand, CAST(NULL AS STRING) AS device, feature, usable, ranking,
{SUMS}
FROM placed CROSS JOIN UNNEST(features) AS feature
GROUP BY feature, usable, ranking
"""  # noqa: S608 - put together from constants

KEYWORDS_SQL = f"""\
WITH sighted AS (
  SELECT
    keyword,
    observed_clicks AS clicks,
    observed_impressions AS impressions,
    average_position AS position,
    average_position >= 1 AND observed_impressions > 0 AND observed_clicks >= 0
      AND observed_clicks <= observed_impressions AS usable
  FROM {{keywords_latest}}
  WHERE DATE(last_checked) >= @oldest_day
    AND observed_clicks IS NOT NULL AND observed_impressions != 0 AND average_position IS NOT NULL
),
placed AS (
  SELECT
    {branded("keyword")} AS brand,
    clicks,
    impressions,
    usable,
    IF(usable, CAST(FLOOR(position) AS INT64), 0) AS ranking,
    IF(usable, position - FLOOR(position), 0) AS beyond
  FROM sighted
  WHERE NOT usable OR position < @worst_rank + 1
)
SELECT brand, CAST(NULL AS STRING) AS device, CAST(NULL AS STRING) AS feature, usable, ranking,
{SUMS}
FROM placed
GROUP BY brand, usable, ranking
"""  # noqa: S608 - put together from constants


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What a fit rests on.

    Attributes:
        basis: Where it comes from.
        segments: Counts by key of the segment; that of all searches is there.
        rows_used: Rows behind it.
        rows_left_out: Rows that cannot be true.
        from_date: First day looked at.
        until_date: Last day looked at.
    """

    basis: CurveBasis
    segments: Mapping[str, Counts]
    rows_used: int
    rows_left_out: int
    from_date: date
    until_date: date


def evidence(context: Context, brand_terms: Sequence[str], today: date) -> Evidence:
    """Return clicks and impressions by rank and segment.

    Facts of the first of ``WINDOWS`` that has any about searches; what keywords were imported with where none has.

    Args:
        context: Tenant, clients and deadline.
        brand_terms: Normalised.
        today: Last day of the window.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    terms: dict[str, object] = {"worst_rank": WORST_RANK, "brand_pattern": brand_pattern(brand_terms)}
    for days in WINDOWS:
        chosen = _chosen(context, today - timedelta(days=days), today)
        if chosen.portions:
            found = rows(context, FACTS_SQL, terms | chosen.parameters(), timeout=PATIENCE)
            return _evidence("search_performance", found, chosen.portions[0].first, chosen.portions[-1].last)
    oldest = today - timedelta(days=KEYWORD_DAYS)
    found = rows(context, KEYWORDS_SQL, terms | {"oldest_day": oldest}, timeout=PATIENCE)
    return _evidence("keywords" if found else "none", found, oldest, today)


def _chosen(context: Context, first: date, last: date) -> Coverage:
    by_device = coverage(context, {"query", "device"}, first, last)
    whole = coverage(context, {"query"}, first, last)
    return by_device if by_device.portions and by_device.days >= DEVICE_SHARE * whole.days else whole


def _evidence(basis: CurveBasis, found: Sequence[Mapping[str, Any]], first: date, last: date) -> Evidence:
    plain = [row for row in found if row["feature"] is None]
    return Evidence(
        basis=basis,
        segments=segments_of(row for row in found if row["usable"]),
        rows_used=sum(int(row["number"]) for row in plain if row["usable"]),
        rows_left_out=sum(int(row["number"]) for row in plain if not row["usable"]),
        from_date=first,
        until_date=last,
    )


def segments_of(found: Iterable[Mapping[str, Any]]) -> dict[str, Counts]:
    """Return the counts of every segment that rows of the query add up to.

    A cell of brand and device counts for itself, for its brand, for its device, and for all searches; rows by feature
    are a second cut of the same searches and count for their feature alone.
    """
    parts: dict[str, list[Counts]] = defaultdict(list)
    seen: dict[str, float] = defaultdict(float)
    for row in found:
        counts = _counts(row)
        if row["feature"] is not None:
            key = Segment(feature=row["feature"]).keys[0]
            parts[key].append(counts)
            seen[key] += float(row["impressions"])
            continue
        for key in Segment(brand=row["brand"], device=row["device"]).keys:
            parts[key].append(counts)
    rare = sorted(seen, key=lambda key: (-seen[key], key))[MOST_FEATURES:]
    kept = {key: added(each) for key, each in parts.items() if key not in rare}
    return {EVERYTHING: added([]), **kept}


def _counts(row: Mapping[str, Any]) -> Counts:
    impressions, clicks = [0.0] * WORST_RANK, [0.0] * WORST_RANK
    rank = int(row["ranking"])
    for values, name in ((impressions, "impressions"), (clicks, "clicks")):
        beyond = round(float(row[f"{name}_beyond"]), DIGITS)
        values[rank - 1] = float(row[name]) - beyond
        if rank < WORST_RANK:
            values[rank] = beyond
    return Counts(impressions=tuple(impressions), clicks=tuple(clicks))
