"""The "Queries" table of a Google Search Console performance export.

Columns: the query, clicks, impressions, click-through rate and average position. Search Console names the first column
``Top queries`` in exports and ``Query`` in its interfaces, and translates the names. It knows neither search volume
nor difficulty, and the file does not say which days it covers: the caller may (``from``, ``to``).

The position is an average over impressions, so fractional; it becomes a rank observation of every device and of no
particular locale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from common.aso.imports.cells import decimal, phrase, share, whole
from common.aso.imports.reader import Row
from common.aso.imports.table import Circumstances, Columns, ParsedRow, RowReader, columns_of

ALIASES: Mapping[str, Sequence[str]] = {
    "keyword": (
        "top queries",
        "query",
        "queries",
        "häufigste suchanfragen",
        "suchanfrage",
        "principales consultas",
        "consulta",
        "requêtes les plus fréquentes",
        "requête",
        "query principali",
    ),
    "clicks": ("clicks", "klicks", "clics", "clic"),
    "impressions": ("impressions", "impressionen", "impresiones", "impressioni"),
    "ctr": ("ctr", "url ctr", "site ctr"),
    "position": ("position", "average position", "avg position", "posición", "posizione"),
}
REQUIRED = ("keyword", "impressions", "position")
LONGEST_KEYWORD = 400
DEEPEST = 1000
UNDETERMINED_LOCALE = "und"


def columns(header: Sequence[str]) -> Columns | None:
    """Return the columns of a Search Console export, or None where the header is not one.

    Raises:
        Unprocessable: ``duplicate_columns``.
    """
    found = columns_of(header, ALIASES)
    return found if all(name in found.positions for name in REQUIRED) else None


def parse(row: Row, found: Columns, width: int, circumstances: Circumstances) -> ParsedRow:
    """Read one row."""
    reader = RowReader(row, found, width)
    keyword = reader.read("keyword", lambda cell: phrase(cell, most=LONGEST_KEYWORD))
    clicks = reader.read("clicks", whole)
    impressions = reader.read("impressions", whole)
    reader.read("ctr", share)
    position = reader.read("position", lambda cell: decimal(cell, least=0, most=DEEPEST))
    if clicks is not None and impressions is not None and clicks > impressions:
        reader.problem("clicks", "out_of_range", f"{clicks} clicks of {impressions} impressions")
    metrics: dict[str, Any] = {
        "observed_impressions": impressions,
        "observed_clicks": clicks,
        "observed_days": circumstances.days,
        "observed_until": circumstances.as_of.isoformat(),
    }
    return reader.parsed(keyword, metrics, _rank(position, impressions, clicks, circumstances))


def _rank(
    position: float | None, impressions: int | None, clicks: int | None, circumstances: Circumstances
) -> dict[str, Any] | None:
    # Search Console writes position 0 for queries without impressions in the period: no rank was seen.
    if position is None or position < 1:
        return None
    return {
        "state": "ranked",
        "position": position,
        "depth": None,
        "date": circumstances.as_of.isoformat(),
        "device": "all",
        "locale": UNDETERMINED_LOCALE,
        "url": None,
        "impressions": impressions,
        "clicks": clicks,
    }
