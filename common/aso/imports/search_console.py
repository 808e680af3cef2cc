"""The tables of a Google Search Console performance export: Queries, Pages, Dates, Devices, and several at once.

An export is a ZIP archive of one CSV file a table, or one file from a connector. A table has one column (from a
connector several) that says what a row is about, and then clicks, impressions, click-through rate and average position,
in this order. The file does not say which days it covers: the caller may (``from``, ``to``). Search Console knows
neither search volume nor difficulty.

* A table by query alone follows its keywords: numbers observed, and the average position, which is fractional, as a
  rank of every device and no particular locale. Where the days are known it is also search performance.
* Every other table is search performance alone, which needs the days: a column of dates, or ``from`` and ``to``.

Search Console translates the names of columns. What the layout rests on: exports in English, and the names below as the
interface shows them in eight languages. A header in a language not listed is recognised by arithmetic: in every row the
fourth of five columns is the second over the third, within the rounding of the export.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from common.aso.imports import cells
from common.aso.imports.cells import CellProblem
from common.aso.imports.dialect import CERTAIN, NAMED, POSSIBLE, PROVED, Dialect, Match, header_of
from common.aso.imports.reader import Row
from common.aso.imports.table import (
    Circumstances,
    Columns,
    Kind,
    ParsedRow,
    RowReader,
    columns_of,
    folded,
    rank_of,
)

NAMES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "en": {
        "keyword": ("top queries", "query", "queries"),
        "page": ("top pages", "page", "pages", "landing page"),
        "date": ("date",),
        "country": ("country",),
        "device": ("device",),
        "appearance": ("search appearance",),
        "clicks": ("clicks", "url clicks"),
        "impressions": ("impressions",),
        "ctr": ("ctr", "url ctr", "site ctr"),
        "position": ("position", "average position", "avg position"),
    },
    "de": {
        "keyword": ("häufigste suchanfragen", "suchanfrage", "suchanfragen"),
        "page": ("die häufigsten seiten", "häufigste seiten", "top seiten", "seite", "seiten"),
        "date": ("datum",),
        "country": ("land",),
        "device": ("gerät",),
        "appearance": ("darstellung in der suche",),
        "clicks": ("klicks",),
        "impressions": ("impressionen",),
        "position": ("durchschnittliche position",),
    },
    "fr": {
        "keyword": ("requêtes les plus fréquentes", "requête", "requêtes"),
        "page": ("pages les plus populaires", "pages les plus fréquentes", "principales pages"),
        "country": ("pays",),
        "device": ("appareil",),
        "appearance": ("apparence dans les résultats de recherche",),
        "clicks": ("clics",),
        "position": ("position moyenne",),
    },
    "es": {
        "keyword": ("principales consultas", "consultas principales", "consulta", "consultas"),
        "page": ("páginas principales", "principales páginas", "página", "páginas"),
        "date": ("fecha",),
        "country": ("país",),
        "device": ("dispositivo",),
        "appearance": ("aparición en búsquedas",),
        "clicks": ("clics",),
        "impressions": ("impresiones",),
        "position": ("posición", "posición media"),
    },
    "it": {
        "keyword": ("query principali", "query più frequenti"),
        "page": ("pagine principali", "pagine più visitate", "pagina", "pagine"),
        "date": ("data",),
        "country": ("paese",),
        "appearance": ("aspetto nella ricerca",),
        "clicks": ("clic",),
        "impressions": ("impressioni",),
        "position": ("posizione", "posizione media"),
    },
    "pt": {
        "keyword": ("principais consultas", "consultas mais frequentes"),
        "page": ("principais páginas", "páginas mais acessadas"),
        "date": ("data",),
        "appearance": ("aspeto da pesquisa", "aparência na pesquisa"),
        "clicks": ("cliques",),
        "impressions": ("impressões",),
        "position": ("posição", "posição média"),
    },
    "nl": {
        "keyword": ("populairste zoekopdrachten", "topzoekopdrachten", "zoekopdracht", "zoekopdrachten"),
        "page": ("populairste pagina s", "toppagina s", "pagina s"),
        "device": ("apparaat",),
        "appearance": ("zoekopmaak", "weergave in zoekresultaten"),
        "clicks": ("klikken",),
        "impressions": ("vertoningen",),
        "position": ("positie", "gemiddelde positie"),
    },
    "ja": {
        "keyword": ("上位のクエリ", "クエリ"),
        "page": ("上位のページ", "ページ"),
        "date": ("日付",),
        "country": ("国",),
        "device": ("デバイス",),
        "appearance": ("検索での見え方",),
        "clicks": ("クリック数", "クリック"),
        "impressions": ("表示回数",),
        "position": ("掲載順位", "平均掲載順位"),
    },
}
ALIASES = {field: [name for names in NAMES.values() for name in names.get(field, ())] for field in NAMES["en"]}
DIMENSIONS = ("keyword", "page", "date", "country", "device", "appearance")
KINDS: Mapping[str, Kind] = {
    "keyword": "phrase",
    "page": "address",
    "date": "day",
    "country": "word",
    "device": "word",
    "appearance": "word",
    "clicks": "whole",
    "impressions": "whole",
    "ctr": "share",
    "position": "decimal",
}
TABLES = {
    ("keyword",): "queries",
    ("page",): "pages",
    ("date",): "dates",
    ("country",): "countries",
    ("device",): "devices",
    ("appearance",): "search_appearance",
    ("keyword", "page"): "query_pages",
}
DEVICES = {
    **dict.fromkeys(("desktop", "computer", "ordinateur", "ordenador", "computador", "パソコン"), "desktop"),
    **dict.fromkeys(("mobile", "mobil", "smartphone", "móvil", "celular", "cellulare", "mobiel", "モバイル"), "mobile"),
    **dict.fromkeys(("tablet", "tablette", "タブレット"), "tablet"),
}
COUNTRY = re.compile(r"[A-Za-z]{3}")
DEEPEST = 1000
TITLE = "a Google Search Console export"


def match(records: Sequence[Row]) -> Match | None:
    """Look for a header of Search Console, by its names or by the arithmetic of the rows below it."""
    for at, row in enumerate(records):
        header = header_of(row)
        columns = columns_of(header, ALIASES)
        found = [name for name in DIMENSIONS if name in columns.positions]
        if found and {"impressions", "position"} <= columns.positions.keys():
            return _named(row, header, columns, found)
        proved = _proved(row, header, records[at + 1 :])
        if proved is not None:
            return proved
    return None


def parse(reader: RowReader, circumstances: Circumstances) -> ParsedRow:
    """Read one row."""
    followed = reader.reading.table == "queries"
    query = reader.keyword() if reader.has("keyword") else None
    clicks, impressions = reader.whole("clicks"), reader.whole("impressions")
    reader.share("ctr")
    position = reader.decimal("position", least=0, most=DEEPEST)
    if clicks is not None and impressions is not None and clicks > impressions:
        reader.problem("clicks", "out_of_range", f"{clicks} clicks of {impressions} impressions")
    # Search Console writes position 0 for rows without impressions in the period: no rank was seen.
    place = None if position is None or position < 1 else position
    facts = _facts(reader, circumstances, query=query, clicks=clicks, impressions=impressions, position=place)
    totals = (clicks, impressions)
    if not followed:
        return reader.parsed(query, facts=facts, totals=totals)
    metrics: dict[str, Any] = {
        "observed_impressions": impressions,
        "observed_clicks": clicks,
        "observed_days": circumstances.days,
        "observed_until": circumstances.as_of.isoformat(),
    }
    found = None if place is None else (place, None)
    rank = rank_of(found, circumstances.as_of.isoformat(), impressions=impressions, clicks=clicks)
    return reader.parsed(query, metrics, (rank,), facts, totals)


def _facts(reader: RowReader, circumstances: Circumstances, **told: Any) -> list[dict[str, Any]]:
    """Return the row as search performance; nothing where the days are unknown or a number is missing."""
    followed = reader.reading.table == "queries"
    page = reader.read("page", _page) if reader.has("page") else None
    device = reader.read("device", cells.choice, known=DEVICES)
    country = reader.read("country", _country)
    day = reader.read("date", _needed_day, latest=circumstances.latest) if reader.has("date") else None
    if circumstances.first is None and day is None:
        return []
    for name in ("clicks", "impressions"):
        if told[name] is None and not followed and cells.absent(reader.cell(name)):
            reader.problem(name, "missing_value", "the cell is empty")
    if told["clicks"] is None or told["impressions"] is None:
        return []
    first = None if day is not None or circumstances.first is None else circumstances.first.isoformat()
    dimensions = {"query": told["query"], "page": page, "device": device, "country": country}
    numbers = {name: told[name] for name in ("clicks", "impressions", "position")}
    # A day of its own is a day alone; otherwise the row is about the whole period.
    return [{"date": day or circumstances.as_of.isoformat(), "from_date": first, **dimensions, **numbers}]


def _named(row: Row, header: tuple[str, ...], columns: Columns, found: Sequence[str]) -> Match:
    complete = {"clicks", "impressions", "ctr", "position"} <= columns.positions.keys()
    written = [columns.names[name] for name in ("clicks", "impressions", "ctr", "position") if name in columns.names]
    table = TABLES.get(tuple(found), "performance")
    return Match(
        format="search_console",
        table=table,
        title=TITLE,
        confidence=CERTAIN if complete and len(columns.positions) == len(header) else NAMED,
        reasons=(f"the columns {', '.join(map(repr, written))} beside {columns.names[found[0]]!r}",),
        header=row,
        columns=columns,
        language=_language(header),
        missing=missing_of(table, found),
    )


def missing_of(table: str, found: Sequence[str]) -> str | None:
    """Return why a table cannot be imported, or None."""
    if "appearance" in found:
        return "tables by search appearance count a click under several appearances; import queries, pages or dates"
    if table == "countries":
        return "this table names countries in the language of the interface; import queries, pages or dates"
    return None


def _language(header: Sequence[str]) -> str | None:
    names = set(map(folded, header))
    scores = {
        language: sum(len(names.intersection(known)) for known in table.values()) for language, table in NAMES.items()
    }
    best = max(scores, key=lambda language: scores[language])
    return best if scores[best] else None


def _proved(row: Row, header: tuple[str, ...], below: Sequence[Row]) -> Match | None:
    """Recognise a table in an unknown language: five columns, the fourth a percentage of the second and third."""
    rows = [each for each in below if not each.blank][:20]
    if len(header) != 5 or not rows or any(len(each.cells) < 5 or not _is_arithmetic(each.cells) for each in rows):
        return None
    if any(map(_is_number, header)):
        return None
    first = [each.cells[0].strip() for each in rows]
    dimension, confidence = "keyword", POSSIBLE
    if all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", cell) for cell in first):
        dimension, confidence = "date", PROVED
    elif all(re.match(r"https?://", cell) for cell in first):
        dimension, confidence = "page", PROVED
    names = (dimension, "clicks", "impressions", "ctr", "position")
    columns = Columns(
        positions={name: position for position, name in enumerate(names)},
        names=dict(zip(names, header, strict=True)),
        bases=dict.fromkeys(names, "evidence"),
    )
    reasons = [f"in {len(rows)} rows {header[3]!r} is {header[1]!r} over {header[2]!r}"]
    if dimension == "keyword":
        reasons.append(f"{header[0]!r} could be queries, countries or something else")
    return Match(
        format="search_console",
        table=TABLES[(dimension,)],
        title=TITLE,
        confidence=confidence,
        reasons=tuple(reasons),
        header=row,
        columns=columns,
    )


def _is_arithmetic(row: Sequence[str]) -> bool:
    try:
        clicks, impressions = cells.whole(row[1]), cells.whole(row[2])
        rate, place = cells.share(row[3]), cells.decimal(row[4], least=0, most=DEEPEST)
    except CellProblem:
        return False
    if clicks is None or not impressions or rate is None or place is None or "%" not in row[3]:
        return False
    return abs(clicks / impressions - rate) <= 0.0051


def _is_number(text: str) -> bool:
    try:
        return cells.decimal(text, least=-1e15, most=1e15) is not None
    except CellProblem:
        return False


def _page(cell: str) -> str:
    if cells.absent(cell):
        raise CellProblem("missing_value", "the cell is empty")
    return cells.address(cell, most=2048) or ""


def _needed_day(cell: str, latest: Any) -> str:
    found = cells.day(cell, latest=latest)
    if found is None:
        raise CellProblem("missing_value", "the cell is empty")
    return found


def _country(cell: str) -> str | None:
    if cells.absent(cell):
        return None
    if not COUNTRY.fullmatch(cell.strip()):
        raise CellProblem("unknown_value", f"{cell.strip()!r} is not a country of three letters, such as usa")
    return cell.strip().lower()


DIALECT = Dialect(
    format="search_console",
    title="Google Search Console",
    kinds=KINDS,
    match=match,
    parse=parse,
    needs="queries, pages or dates with impressions and a position",
)
