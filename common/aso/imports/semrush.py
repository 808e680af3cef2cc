"""Exports of Semrush: Position Tracking (overview of rankings) and Organic Research (positions).

**Position Tracking** begins with lines about the campaign (report, campaign, domain, location and device, dates; as
``name: value`` or in two cells), then a header: ``Keyword``, perhaps ``Tags`` and ``Intents``, and for each domain and
day a column named by both, ``*.example.com/*_20260101``, followed by ``..._type`` (organic, featured snippet, ...) and
``..._landing`` (the address); ``..._difference`` compares the first day with the last. ``-`` is "not among the first
100"; an empty cell, "not tracked that day". The domain of the campaign is ours, without such a line the first one of
the header; the others are competitors, of whom the newest day counts.

**Organic Research** has one row per keyword and address: Keyword, Position, Previous position, Search Volume, Keyword
Difficulty, CPC, URL, Traffic, Traffic (%), Traffic Cost, Competition, Number of Results, Trends, Timestamp, SERP
Features by Keyword, Keyword Intents, Position Type. It can be of any domain; ranks of pages
that are on none of the tenant's own hosts, where those are known, are not taken, only what is told of the keywords.

What the layout rests on: column names as Semrush documents and exports them in English (its exports are not
translated); preambles differ over the years, so every line above the header is read as far as it can be and none is
needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from common.aso.imports import cells
from common.aso.imports.dialect import CERTAIN, NAMED, Dialect, Match, header_of
from common.aso.imports.reader import Row
from common.aso.imports.table import Circumstances, Kind, ParsedRow, RowReader, columns_of, folded, rank_of
from common.aso.imports.words import device_of, features, language_of, one_intent

ALIASES: Mapping[str, Sequence[str]] = {
    "keyword": ("keyword",),
    "rank": ("position",),
    "search_volume": ("search volume",),
    "difficulty": ("keyword difficulty", "keyword difficulty index", "kd"),
    "url": ("url",),
    "date": ("timestamp",),
    "features": ("serp features by keyword", "serp features"),
    "intent": ("keyword intents", "intents", "intent"),
    "type": ("position type",),
}
ORGANIC = ("previous position", "search volume", "keyword difficulty", "traffic", "traffic cost", "number of results")
"""Columns of Organic Research, of which four together are in no other tool's exports."""
KINDS: Mapping[str, Kind] = {
    "keyword": "phrase",
    "rank": "position",
    "search_volume": "whole",
    "difficulty": "decimal",
    "url": "address",
    "date": "day",
    "features": "word",
    "intent": "word",
    "type": "word",
    "competitor": "position",
}
TRACKED = re.compile(r"(?P<domain>\S+?)_(?P<day>\d{8})(?:_(?P<what>type|landing))?")
NOT_TRACKED = "n/a"
DEPTH = 100
MOST_COMPETITORS = 20
"""Competitors that a campaign compares with at most."""


def match(records: Sequence[Row]) -> Match | None:
    """Look for a header of Position Tracking or of Organic Research."""
    for at, row in enumerate(records):
        header = header_of(row)
        if "keyword" not in map(folded, header):
            continue
        days = [found for name in header if (found := _tracked_column(name)) and found["what"] is None]
        if days:
            return _tracking(row, header, records[:at], days)
        if sum(name in ORGANIC for name in dict.fromkeys(map(folded, header))) >= 4:
            return _organic(row, header)
    return None


def parse(reader: RowReader, circumstances: Circumstances) -> ParsedRow:
    """Read one row."""
    keyword = reader.keyword()
    metrics: dict[str, Any] = {
        "search_volume": reader.whole("search_volume"),
        "difficulty_score": reader.decimal("difficulty", least=0, most=100),
        "intent": one_intent(reader.cell("intent")),
    }
    if reader.reading.table == "position_tracking":
        metrics["competitor_rankings"] = _competitors(reader)
        return reader.parsed(keyword, metrics, _tracked(reader))
    found = reader.position("rank")
    day = reader.day("date", circumstances.latest)
    address = reader.address("url")
    rank = rank_of(
        found,
        day or circumstances.as_of.isoformat(),
        url=address,
        features=features([reader.cell("features"), _unusual(reader.cell("type"))]) or None,
    )
    foreign = circumstances.is_foreign(address)
    return reader.parsed(keyword, metrics, () if foreign else (rank,), foreign=foreign)


def _tracking(row: Row, header: tuple[str, ...], above: Sequence[Row], days: Sequence[re.Match[str]]) -> Match:
    told = _told(above)
    ours = told.get("domain") or _host(days[0]["domain"])
    hosts = {_host(found["domain"]) for found in days}
    if ours not in hosts:
        ours = _host(days[0]["domain"])
    newest = max(found["day"] for found in days)
    columns = columns_of(header, ALIASES, lambda name: _field(name, ours, newest))
    return Match(
        format="semrush",
        table="position_tracking",
        title="a Semrush Position Tracking export",
        confidence=CERTAIN,
        reasons=(
            f"columns named by domain and day, such as {days[0][0]!r}",
            f"the positions of {ours} are ours"
            + (f", of {len(hosts) - 1} others competitors'" if hosts != {ours} else ""),
            *([f"{len(above)} lines above the header"] if above else []),
        ),
        header=row,
        columns=columns,
        language="en",
        told={**told, "domain": ours, "from": _iso(min(found["day"] for found in days)), "to": _iso(newest)},
    )


def _organic(row: Row, header: tuple[str, ...]) -> Match:
    columns = columns_of(header, ALIASES)
    written = [name for name in header if folded(name) in ORGANIC]
    return Match(
        format="semrush",
        table="organic_research",
        title="a Semrush Organic Research export",
        confidence=CERTAIN if len(written) > 4 else NAMED,
        reasons=(f"the columns {', '.join(map(repr, written))}",),
        header=row,
        columns=columns,
        language="en",
        missing=None if "rank" in columns.positions else "it has no column 'Position'",
    )


def _field(name: str, ours: str, newest: str) -> str | None:
    """Return the field of a column named by domain and day, such as ``rank 2026-01-31``."""
    found = _tracked_column(name)
    if found is None:
        return None
    host, what = _host(found["domain"]), found["what"]
    if host == ours:
        field = {"type": "type", "landing": "url", None: "rank"}[what]
        return f"{field} {_iso(found['day'])}"
    return f"competitor {host}" if what is None and found["day"] == newest else None


def _tracked_column(name: str) -> re.Match[str] | None:
    """Return the parts of a column named by domain and day, if the day is one."""
    found = TRACKED.fullmatch(name)
    if found is None:
        return None
    try:
        date.fromisoformat(_iso(found["day"]))
    except ValueError:
        return None
    return found


def _tracked(reader: RowReader) -> list[dict[str, Any] | None]:
    """Return the rank of every day."""
    told = reader.reading.told
    ranks = []
    for name in reader.reading.columns.positions:
        field, _, day = name.partition(" ")
        if field != "rank" or not day:
            continue
        more = {
            "device": told.get("device"),
            "locale": told.get("locale"),
            "url": reader.address(f"url {day}") if reader.has(f"url {day}") else None,
            "features": features([_unusual(reader.cell(f"type {day}"))]) or None,
        }
        ranks.append(rank_of(_place(reader, name), day, **more))
    return ranks


def _competitors(reader: RowReader) -> list[dict[str, Any]] | None:
    names = [name for name in reader.reading.columns.positions if name.startswith("competitor ")]
    found = []
    for name in names[:MOST_COMPETITORS]:
        place = _place(reader, name)
        if place is not None:
            position = None if place[0] is None else max(1, int(place[0] + 0.5))
            found.append({"competitor": name.removeprefix("competitor "), "position": position})
    return found or None


def _place(reader: RowReader, name: str) -> tuple[float | None, int | None] | None:
    """Return the position of a cell; ``-`` is not found among the first hundred."""
    cell = reader.cell(name).strip()
    if cell and cell.casefold() != NOT_TRACKED and cells.absent(cell):
        return None, DEPTH
    return reader.position(name)


def _told(above: Sequence[Row]) -> dict[str, Any]:
    """Read the lines above the header: ``Domain: *.example.com/*`` or ``Domain,*.example.com/*``."""
    told: dict[str, Any] = {}
    for row in above:
        if row.blank or row.unreadable is not None:
            continue
        text = " ".join(cell.strip() for cell in row.cells if cell.strip())
        name, _, value = text.partition(":") if ":" in row.cells[0] else (row.cells[0], "", " ".join(row.cells[1:]))
        name, value = folded(name), value.strip()
        if name in {"domain", "domain name", "url", "target", "root domain"} and value:
            told["domain"] = _host(value)
        elif name in {"campaign", "campaign name", "project"} and value:
            told["campaign"] = value[:200]
        device, language = device_of(text), language_of(text)
        if device is not None and name not in {"campaign", "campaign name", "project"}:
            told.setdefault("device", device)
        if language is not None and name not in {"campaign", "campaign name", "project"}:
            told.setdefault("locale", language)
    return told


def _unusual(cell: str) -> str:
    """Return a kind of result that is not the plain one."""
    return "" if cells.absent(cell) or cell.strip().casefold() == "organic" else cell


def _host(domain: str) -> str:
    """Return the host of a mask such as ``*.example.com/*``."""
    return re.sub(r"^(?:https?://)?(?:\*\.)?(?:www\.)?|[/*]+.*$", "", domain.strip().casefold())


def _iso(day: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


DIALECT = Dialect(
    format="semrush",
    title="Semrush",
    kinds=KINDS,
    match=match,
    parse=parse,
    needs="Keyword with columns by domain and day (Position Tracking), or the columns of Organic Research",
)
