"""Exports of Ahrefs: Organic keywords of Site Explorer, old and new, and Keywords Explorer.

* **Organic keywords**, new: Keyword, Country, SERP features, Volume, KD, CPC, Organic traffic, Current position,
  Current URL, Updated, Branded, Informational, Commercial, ... (``Previous position`` and such where two days are
  compared).
* **Organic keywords**, old: #, Keyword, Position, Position History, Volume, URL, Difficulty, Traffic (desc), CPC, Last
  Update, Page URL inside, SERP Features; as UTF-16 with tabs, or UTF-8 with commas.
* **Keywords Explorer**: #, Keyword, Country, Difficulty, Volume, CPC, CPS, Parent Keyword (or Parent Topic), Last
  Update, SERP Features, Global volume, Traffic potential. ``Clicks`` are an estimate of Ahrefs and not taken.

Intents are columns of TRUE and FALSE, or one column ``Intents``. Organic keywords can be of any domain; ranks of pages
that are on none of the tenant's own hosts, where those are known, are not taken. Ahrefs counts volume by country; rows
of several countries tell different numbers of one keyword, of which the first counts and the others are refused.

What the layout rests on: the names in Ahrefs' help pages and in its exports, which are not translated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from common.aso.imports.dialect import CERTAIN, NAMED, Dialect, Match, header_of
from common.aso.imports.reader import Row
from common.aso.imports.table import Circumstances, Kind, ParsedRow, RowReader, columns_of, folded, rank_of
from common.aso.imports.words import INTENTS, features, one_intent

ALIASES: Mapping[str, Sequence[str]] = {
    "keyword": ("keyword",),
    "search_volume": ("volume", "search volume"),
    "difficulty": ("kd", "difficulty", "keyword difficulty"),
    "rank": ("current position", "position"),
    "url": ("current url", "url"),
    "date": ("current date", "current position date", "last update", "updated"),
    "features": ("serp features", "current serp features"),
    "intent": ("intents",),
    "informational": ("informational",),
    "commercial": ("commercial",),
    "transactional": ("transactional",),
    "navigational": ("navigational",),
}
KINDS: Mapping[str, Kind] = {
    "keyword": "phrase",
    "search_volume": "volume",
    "difficulty": "decimal",
    "rank": "position",
    "url": "address",
    "date": "day",
    "features": "word",
    **dict.fromkeys(("intent", *INTENTS, "navigational"), "word"),
}
NEW = ("current position", "current url", "organic traffic", "current organic traffic", "kd", "current url inside")
OLD = ("position history", "page url inside", "traffic desc", "position history date", "last update", "difficulty")
EXPLORER = ("parent keyword", "parent topic", "global volume", "traffic potential", "cps", "return rate", "difficulty")
TABLES = (
    ("organic_keywords", NEW, "an Ahrefs export of organic keywords"),
    ("organic_keywords", OLD, "an old Ahrefs export of organic keywords"),
    ("keywords_explorer", EXPLORER, "an export of Ahrefs' Keywords Explorer"),
)


def match(records: Sequence[Row]) -> Match | None:
    """Look for a header of Ahrefs: a keyword, a volume and at least two columns that only one of its tables has."""
    for row in records:
        header = header_of(row)
        names = list(map(folded, header))
        if not {"keyword", "volume"} <= set(names):
            continue
        scored = [(sum(name in own for name in dict.fromkeys(names)), at) for at, (_, own, _) in enumerate(TABLES)]
        score, at = max(scored, key=lambda each: (each[0], -each[1]))
        if score >= 2:
            return _found(row, header, at, score)
    return None


def parse(reader: RowReader, circumstances: Circumstances) -> ParsedRow:
    """Read one row."""
    keyword = reader.keyword()
    metrics: dict[str, Any] = {
        "search_volume": reader.whole("search_volume"),
        "difficulty_score": reader.decimal("difficulty", least=0, most=100),
        "intent": _intent(reader),
    }
    if reader.reading.table != "organic_keywords":
        return reader.parsed(keyword, metrics)
    address = reader.address("url")
    rank = rank_of(
        reader.position("rank"),
        reader.day("date", circumstances.latest) or circumstances.as_of.isoformat(),
        url=address,
        features=features([reader.cell("features")]) or None,
    )
    foreign = circumstances.is_foreign(address)
    return reader.parsed(keyword, metrics, () if foreign else (rank,), foreign=foreign)


def _found(row: Row, header: tuple[str, ...], at: int, score: int) -> Match:
    table, own, title = TABLES[at]
    columns = columns_of(header, _aliases(header))
    return Match(
        format="ahrefs",
        table=table,
        title=title,
        confidence=CERTAIN if score > 2 else NAMED,
        reasons=(f"the columns {', '.join(repr(name) for name in header if folded(name) in own)}",),
        header=row,
        columns=columns,
        language="en",
        missing="it has no position" if table == "organic_keywords" and "rank" not in columns.positions else None,
    )


def _aliases(header: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Return the names of each field, of which the first one in the header counts; the others are another field's."""
    present = set(map(folded, header))
    return {field: [next((name for name in names if name in present), names[0])] for field, names in ALIASES.items()}


def _intent(reader: RowReader) -> str | None:
    marked = [name for name in (*INTENTS, "navigational") if reader.cell(name).strip().casefold() == "true"]
    return one_intent(",".join(marked) or reader.cell("intent"))


DIALECT = Dialect(
    format="ahrefs",
    title="Ahrefs",
    kinds=KINDS,
    match=match,
    parse=parse,
    needs="Keyword and Volume with Current position and Current URL, or with Parent Keyword or Global volume",
)
