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

The names of the first three are known in German, French, Spanish, Italian, Portuguese, Dutch and Japanese, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from common.aso.imports import cells
from common.aso.imports.dialect import PLAIN, Dialect, Match, header_of
from common.aso.imports.reader import Row
from common.aso.imports.table import Circumstances, Kind, ParsedRow, RowReader, columns_of, folded, rank_of
from common.aso.imports.words import DEVICES, INTENTS, PRIORITIES

TRANSLATED: Mapping[str, Mapping[str, Sequence[str]]] = {
    "de": {
        "keyword": ("suchbegriff", "schlüsselwort", "suchanfrage"),
        "search_volume": ("suchvolumen",),
        "difficulty": ("schwierigkeit",),
    },
    "fr": {
        "keyword": ("mot clé", "requête"),
        "search_volume": ("volume de recherche",),
        "difficulty": ("difficulté",),
    },
    "es": {
        "keyword": ("palabra clave", "consulta"),
        "search_volume": ("volumen de búsqueda", "volumen"),
        "difficulty": ("dificultad",),
    },
    "it": {
        "keyword": ("parola chiave",),
        "search_volume": ("volume di ricerca",),
        "difficulty": ("difficoltà",),
    },
    "pt": {
        "keyword": ("palavra chave",),
        "search_volume": ("volume de pesquisa", "volume de busca"),
        "difficulty": ("dificuldade",),
    },
    "nl": {
        "keyword": ("zoekwoord", "zoekterm"),
        "search_volume": ("zoekvolume",),
        "difficulty": ("moeilijkheid",),
    },
    "ja": {
        "keyword": ("キーワード", "クエリ"),
        "search_volume": ("検索ボリューム", "月間検索数"),
        "difficulty": ("難易度",),
    },
}
ENGLISH: Mapping[str, Sequence[str]] = {
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
ALIASES = {
    field: [*names, *(name for table in TRANSLATED.values() for name in table.get(field, ()))]
    for field, names in ENGLISH.items()
}
KINDS: Mapping[str, Kind] = {
    "keyword": "phrase",
    "search_volume": "volume",
    "difficulty": "decimal",
    "allintitle": "whole",
    "intent": "word",
    "priority": "word",
    "url": "address",
    "rank": "position",
    "date": "day",
    "device": "word",
    "locale": "word",
}


def match(records: Sequence[Row]) -> Match | None:
    """Look for a header with a keyword."""
    for row in records:
        header = header_of(row)
        columns = columns_of(header, ALIASES)
        if "keyword" in columns.positions:
            return plain_match(row, (f"the column {columns.names['keyword']!r}",))
    return None


def plain_match(row: Row, reasons: tuple[str, ...]) -> Match:
    """Return the match of a header, whatever it holds."""
    header = header_of(row)
    return Match(
        format="csv",
        table="keywords",
        title="a plain table of keywords",
        confidence=PLAIN,
        reasons=reasons,
        header=row,
        columns=columns_of(header, ALIASES),
        language=_language(header),
    )


def parse(reader: RowReader, circumstances: Circumstances) -> ParsedRow:
    """Read one row."""
    keyword = reader.keyword()
    volume, is_range = reader.read("search_volume", cells.volume) or (None, False)
    metrics: dict[str, Any] = {
        "search_volume": volume,
        "difficulty_score": reader.decimal("difficulty", least=0, most=100),
        "allintitle_results": reader.whole("allintitle"),
        "intent": reader.read("intent", cells.choice, known=INTENTS),
        "priority": reader.read("priority", cells.choice, known=PRIORITIES),
    }
    found = reader.position("rank")
    date = reader.day("date", circumstances.latest)
    more = {
        "device": reader.read("device", cells.choice, known=DEVICES),
        "locale": reader.read("locale", cells.locale),
        "url": reader.address("url"),
    }
    rank = rank_of(found, date or circumstances.as_of.isoformat(), **more)
    return reader.parsed(keyword, metrics, (rank,), totals=(volume,), source="range" if is_range else "")


def _language(header: Sequence[str]) -> str | None:
    names = set(map(folded, header))
    for language, table in TRANSLATED.items():
        if names.intersection(name for known in table.values() for name in known):
            return language
    return None


DIALECT = Dialect(
    format="csv",
    title="a plain table",
    kinds=KINDS,
    match=match,
    parse=parse,
    needs="a column named keyword",
)
