"""A plain table of keywords: one row a keyword, or one row per rank check of a keyword.

Columns in any order, any of the names below (case, ``_``, ``-`` and ``.`` do not matter); only the keyword is needed,
empty cells change nothing, columns nobody knows are ignored and listed in the job's result.

===================  ======================================================================================
``keyword``          query, search term, keyphrase, term
``search_volume``    volume, avg monthly searches, monthly searches, msv
``difficulty``       difficulty score, keyword difficulty, kd, seo difficulty
``allintitle``       allintitle results, all in title
``intent``           search intent: informational, commercial, transactional
``priority``         tier: tier1, tier2, tier3 (or 1, 2, 3)
``url``              landing page, page, current url, target url
``rank``             position, ranking, current ranking, current position; ``>100`` is "not found down to 100"
``date``             checked, checked at, last checked: of the rank; the day of the upload where it is missing
``device``           desktop, mobile, tablet, all
``locale``           language: ``en``, ``en-US``
===================  ======================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from common.aso.imports.cells import CellProblem, absent, choice, day, decimal, phrase, whole
from common.aso.imports.reader import Row
from common.aso.imports.table import Circumstances, Columns, ParsedRow, RowReader, columns_of

ALIASES: Mapping[str, Sequence[str]] = {
    "keyword": ("keyword", "keywords", "query", "search term", "keyphrase", "term"),
    "search_volume": ("search volume", "volume", "avg monthly searches", "monthly searches", "msv"),
    "difficulty": ("difficulty", "difficulty score", "keyword difficulty", "kd", "seo difficulty"),
    "allintitle": ("allintitle", "allintitle results", "all in title"),
    "intent": ("intent", "search intent"),
    "priority": ("priority", "tier"),
    "url": ("url", "landing page", "page", "current url", "target url"),
    "rank": ("rank", "position", "ranking", "current ranking", "current position"),
    "date": ("date", "checked", "checked at", "last checked"),
    "device": ("device",),
    "locale": ("locale", "language"),
}
LONGEST_KEYWORD = 400
LONGEST_URL = 2048
DEEPEST = 1000
INTENTS = {name: name for name in ("informational", "commercial", "transactional")}
PRIORITIES = {"tier1": "tier1", "tier2": "tier2", "tier3": "tier3", "1": "tier1", "2": "tier2", "3": "tier3"}
DEVICES = {name: name for name in ("desktop", "mobile", "tablet", "all")}
NOT_FOUND = re.compile(r">\s*(\d{1,4})", re.ASCII)
LOCALE = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{2}))?")
UNDETERMINED_LOCALE = "und"


def columns(header: Sequence[str]) -> Columns | None:
    """Return the columns of a plain table, or None where none is the keyword.

    Raises:
        Unprocessable: ``duplicate_columns``.
    """
    found = columns_of(header, ALIASES)
    return found if "keyword" in found.positions else None


def parse(row: Row, found: Columns, width: int, circumstances: Circumstances) -> ParsedRow:
    """Read one row."""
    reader = RowReader(row, found, width)
    keyword = reader.read("keyword", lambda cell: phrase(cell, most=LONGEST_KEYWORD))
    metrics: dict[str, Any] = {
        "search_volume": reader.read("search_volume", whole),
        "difficulty_score": reader.read("difficulty", lambda cell: decimal(cell, least=0, most=100)),
        "allintitle_results": reader.read("allintitle", whole),
        "intent": reader.read("intent", lambda cell: choice(cell, INTENTS)),
        "priority": reader.read("priority", lambda cell: choice(cell, PRIORITIES)),
    }
    return reader.parsed(keyword, metrics, _rank(reader, circumstances))


def _rank(reader: RowReader, circumstances: Circumstances) -> dict[str, Any] | None:
    found = reader.read("rank", _position)
    date = reader.read("date", lambda cell: day(cell, latest=circumstances.latest))
    device = reader.read("device", lambda cell: choice(cell, DEVICES))
    locale = reader.read("locale", _locale)
    url = reader.read("url", _address)
    if found is None:
        return None
    position, depth = found
    return {
        "state": "ranked" if depth is None else "not_found",
        "position": position,
        "depth": depth,
        "date": date or circumstances.as_of.isoformat(),
        "device": device or "all",
        "locale": locale or UNDETERMINED_LOCALE,
        "url": url if depth is None else None,
        "impressions": None,
        "clicks": None,
    }


def _position(cell: str) -> tuple[float | None, int | None] | None:
    """Return position and depth: ``7`` is found at 7, ``>100`` is not found down to 100."""
    if absent(cell):
        return None
    deeper = NOT_FOUND.fullmatch(cell.strip())
    if deeper is not None:
        return None, whole(deeper[1], least=1, most=DEEPEST)
    return decimal(cell, least=1, most=DEEPEST), None


def _locale(cell: str) -> str | None:
    if absent(cell):
        return None
    match = LOCALE.fullmatch(cell.strip())
    if match is None:
        raise CellProblem("unknown_value", f"{cell.strip()!r} is not a locale like en or en-US")
    return match[1].lower() + (f"-{match[2].upper()}" if match[2] else "")


def _address(cell: str) -> str | None:
    if absent(cell):
        return None
    text = cell.strip()
    if len(text) > LONGEST_URL or any(character.isspace() for character in text):
        raise CellProblem("invalid_url", "the address holds spaces or is too long")
    return text
