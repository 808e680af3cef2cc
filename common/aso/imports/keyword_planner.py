"""The keyword ideas and forecasts that Google Keyword Planner exports, as UTF-16 with tabs or as CSV.

Two lines stand above the header: ``Keyword Stats 2026-01-31 at 10_30_00`` and the months, ``January 1, 2025 - December
31, 2025``; the last day of these is the day of the volumes. The header has Keyword, Currency, Avg. monthly searches,
Three month change, YoY change, Competition, Competition (indexed value), Top of page bid (low range), ..., and one
column ``Searches: Jan 2025`` a month.

* Accounts that spend little see ranges (``1K - 10K``), which stand for the geometric mean of their bounds; the source
  of such a number is ``keyword_planner.range``.
* Without an average, the mean of the months counts.
* ``Competition`` is that of advertisers for the keyword; it says nothing about how hard it is to rank, so it is not
  taken for a difficulty.

What the layout rests on: the names of columns in exports in English, and the translations below as the interface of
Google Ads shows them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from common.aso.imports import cells
from common.aso.imports.dialect import CERTAIN, NAMED, Dialect, Match, header_of
from common.aso.imports.reader import Row
from common.aso.imports.table import Circumstances, Kind, ParsedRow, RowReader, columns_of, folded

ALIASES: Mapping[str, Sequence[str]] = {
    "keyword": ("keyword", "suchbegriff", "mot clé", "palabra clave", "parola chiave", "palavra chave", "zoekwoord"),
    "search_volume": (
        "avg monthly searches",
        "durchschnittl suchanfragen pro monat",
        "nombre moyen de recherches mensuelles",
        "nbre moy de recherches mensuelles",
        "promedio de búsquedas mensuales",
        "media delle ricerche mensili",
        "média de pesquisas mensais",
        "gem aantal zoekopdrachten per maand",
    ),
}
KINDS: Mapping[str, Kind] = {"keyword": "phrase", "search_volume": "volume", "searches": "volume"}
LANGUAGES = ("en", "de", "fr", "fr", "es", "it", "pt", "nl")
OWN = (
    "competition indexed value",
    "top of page bid low range",
    "top of page bid high range",
    "three month change",
    "yoy change",
    "in account?",
    "in plan?",
    "ad impression share",
    "wettbewerb",
    "wettbewerb indexwert",
)
SHORT_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = re.compile(r"searches:? ([a-z]{3})[a-z]* (\d{4})")
LONG_DAY = re.compile(r"([a-z]{3})[a-z]*\.? (\d{1,2}), (\d{4})", re.IGNORECASE)


def match(records: Sequence[Row]) -> Match | None:
    """Look for a header with a keyword and average monthly searches, or searches by month."""
    for at, row in enumerate(records):
        header = header_of(row)
        columns = columns_of(header, ALIASES, _month)
        months = [name for name in columns.positions if name.startswith("searches ")]
        if "keyword" not in columns.positions or not ("search_volume" in columns.positions or months):
            continue
        own = [name for name in header if folded(name) in OWN]
        told = _told(records[:at])
        if not (own or months or "period" in told):
            continue
        volume = columns.names.get("search_volume")
        reasons = [f"the columns {', '.join(map(repr, [*([volume] if volume else []), *own[:4]]))}"]
        reasons += [f"{len(months)} columns of searches by month"] if months else []
        reasons += [f"the line {told['period']!r} above the header"] if "period" in told else []
        return Match(
            format="keyword_planner",
            table="keyword_ideas",
            title="a Google Keyword Planner export",
            confidence=CERTAIN if len(own) + bool(months) + ("period" in told) > 1 else NAMED,
            reasons=tuple(reasons),
            header=row,
            columns=columns,
            language=_language(columns.names.get("search_volume", "")),
            told=told,
        )
    return None


def parse(reader: RowReader, circumstances: Circumstances) -> ParsedRow:  # noqa: ARG001 - the signature of every dialect
    """Read one row."""
    keyword = reader.keyword()
    found = reader.read("search_volume", cells.volume)
    if found is None and not reader.problems:
        found = _mean(reader)
    number, is_range = found or (None, False)
    return reader.parsed(keyword, {"search_volume": number}, source="range" if is_range else "", totals=(number,))


def _mean(reader: RowReader) -> tuple[int, bool] | None:
    """Return the mean of the months that are told."""
    months = [name for name in reader.reading.columns.positions if name.startswith("searches ")]
    told = [found for name in months if (found := reader.read(name, cells.volume)) is not None]
    if not told:
        return None
    return round(sum(number for number, _ in told) / len(told)), any(is_range for _, is_range in told)


def _month(name: str) -> str | None:
    """Return the field of a column of one month: ``searches 2025-01``."""
    found = MONTH.fullmatch(" ".join(name.casefold().split()))
    if found is None or found[1] not in SHORT_MONTHS:
        return None
    return f"searches {found[2]}-{SHORT_MONTHS.index(found[1]) + 1:02}"


def _told(above: Sequence[Row]) -> dict[str, Any]:
    """Return the last day that the lines above the header name."""
    for row in reversed(above):
        text = ", ".join(cell.strip() for cell in row.cells if cell.strip())
        days = [day for found in LONG_DAY.finditer(text) if (day := _long_day(found)) is not None]
        if len(days) == 2:
            return {"period": text, "from": days[0].isoformat(), "to": days[1].isoformat()}
    return {}


def _long_day(found: re.Match[str]) -> date | None:
    month = found[1].casefold()
    try:
        return date(int(found[3]), SHORT_MONTHS.index(month) + 1, int(found[2]))
    except ValueError:
        return None


def _language(name: str) -> str | None:
    names = ALIASES["search_volume"]
    return LANGUAGES[names.index(folded(name))] if folded(name) in names else None


DIALECT = Dialect(
    format="keyword_planner",
    title="Google Keyword Planner",
    kinds=KINDS,
    match=match,
    parse=parse,
    needs="Keyword and Avg. monthly searches, with competition, bids or searches by month",
)
