"""One table, written as every tool and country does, says the same: encoding by delimiter by decimal by language."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from common.aso.imports.search_console import NAMES
from common.errors import Unprocessable
from tests.common.aso.imports.files import APRIL, UNKNOWN_PERIOD, codes, parsed, planned, said


@dataclass(frozen=True)
class Locale:
    """How numbers are written somewhere."""

    name: str
    point: str
    group: str
    percent: str = "%"
    missing: str = ""

    def __call__(self, number: float | None, digits: int | None = None) -> str:
        """Write a number."""
        if number is None:
            return self.missing
        text = f"{number:,}" if digits is None else f"{number:,.{digits}f}"
        return text.replace(",", "\0").replace(".", self.point).replace("\0", self.group)

    def share(self, number: float) -> str:
        """Write a share of one as a percentage."""
        return self(number * 100, 2) + self.percent


LOCALES = [
    Locale("english", ".", ","),
    Locale("german", ",", ".", " %", "-"),
    Locale("french", ",", "\u202f", "\u00a0%", "\u2013"),
    Locale("swiss", ".", "\u2019", "%", "--"),
    Locale("bare point", ".", "", "%", "n/a"),
    Locale("bare comma", ",", "", "%", "N/A"),
]
ENCODINGS = {
    "utf-8": lambda text: text.encode(),
    "utf-8 with mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "utf-16 le with mark": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "utf-16 be with mark": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "utf-16 le": lambda text: text.encode("utf-16-le"),
    "utf-16 be": lambda text: text.encode("utf-16-be"),
    "windows-1252": lambda text: text.encode("windows-1252"),
}
DELIMITERS = [",", ";", "\t", "|"]

QUERIES = [
    ("häufig, gesucht", 45613, 1095056, 5.34),
    ('"zitiert" und mehr', 43801, 1588905, 6.38),
    ("=1+1", 12, 354, 41.0),
    ("nie gezeigt", 0, 0, 0.0),
    ("total", 7, 800, 12.75),
    ("mehrere wörter\\", 1171, 55685, 10.07),
]


def lines(rows: Sequence[Sequence[str]], delimiter: str, ending: str = "\r\n") -> str:
    """Return rows as text."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=ending).writerows(rows)
    return text.getvalue()


def queries(header: Sequence[str], locale: Locale) -> list[list[str]]:
    rows = [
        [query, locale(clicks), locale(shown), locale.share(clicks / shown if shown else 0), locale(position, 2)]
        for query, clicks, shown, position in QUERIES
    ]
    return [list(header), *rows]


EXPECTED = [
    {
        "keyword": query,
        "metrics": {
            "observed_impressions": shown,
            "observed_clicks": clicks,
            "observed_until": "2026-04-30",
            "observed_days": 30,
        },
        "ranks": [(position, "2026-04-30", shown, clicks)] if position >= 1 else [],
        "facts": [(query, "2026-04-01", "2026-04-30", clicks, shown, position if position >= 1 else None)],
        "problems": [],
    }
    for query, clicks, shown, position in QUERIES
]


def told(content: bytes) -> list[dict[str, Any]]:
    """Return what the rows of an export of April say."""
    return [
        {
            **said(row),
            "ranks": [(each["position"], each["date"], each["impressions"], each["clicks"]) for each in row.ranks],
            "facts": [
                (each["query"], each["from_date"], each["date"], each["clicks"], each["impressions"], each["position"])
                for each in row.facts
            ],
        }
        for row in parsed(content, APRIL)
    ]


def header_in(language: str) -> list[str]:
    """Return the header of an export of queries as Search Console writes it in a language."""
    names = NAMES[language]
    return [
        names["keyword"][0].capitalize(),
        names["clicks"][0].capitalize() if "clicks" in names else "Clicks",
        names.get("impressions", ("impressions",))[0].capitalize(),
        "CTR",
        names.get("position", ("position",))[0].capitalize(),
    ]


def every() -> Iterator[Any]:
    for locale, encoding, delimiter in itertools.product(LOCALES, ENCODINGS, DELIMITERS):
        if encoding == "windows-1252" and "\u202f" in (locale.group, locale.percent[:1]):
            continue  # Windows-1252 has no such space
        yield pytest.param(locale, encoding, delimiter, id=f"{locale.name}-{encoding}-{delimiter!r}")


@pytest.mark.parametrize(("locale", "encoding", "delimiter"), list(every()))
def test_queries_say_the_same_however_they_are_written(locale: Locale, encoding: str, delimiter: str) -> None:
    text = lines(queries(header_in("de"), locale), delimiter)
    plan = planned(ENCODINGS[encoding](text))
    assert (plan.format, plan.table, plan.delimiter, plan.rows) == ("search_console", "queries", delimiter, 6)
    assert [warned.code for warned in plan.warnings] == (["encoding_fallback"] if encoding == "windows-1252" else [])
    assert told(ENCODINGS[encoding](text)) == EXPECTED


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name != "windows-1252"])
@pytest.mark.parametrize("language", NAMES)
def test_queries_say_the_same_in_every_language(language: str, encoding: str) -> None:
    content = ENCODINGS[encoding](lines(queries(header_in(language), LOCALES[0]), ","))
    assert planned(content).language == language
    assert told(content) == EXPECTED


@pytest.mark.parametrize("language", NAMES)
@pytest.mark.parametrize(("field", "table"), [("page", "pages"), ("date", "dates")])
def test_pages_and_dates_are_search_performance_in_every_language(field: str, table: str, language: str) -> None:
    names = NAMES[language]
    header = [names.get(field, NAMES["en"][field])[0], *header_in(language)[1:]]
    subject = {"page": "https://example.com/a", "date": "2026-04-02"}[field]
    content = lines([header, [subject, "3", "40", "7.5%", "2.5"]], ",").encode()
    assert planned(content).table == table
    [row] = parsed(content, APRIL)
    [fact] = row.facts
    assert (row.keyword, row.metrics, row.ranks, row.problems) == ("", {}, (), ())
    assert (fact["clicks"], fact["impressions"], fact["position"]) == (3, 40, 2.5)
    if field == "date":
        assert (fact["from_date"], fact["date"]) == (None, "2026-04-02")
    else:
        assert (fact["from_date"], fact["date"], fact["page"]) == ("2026-04-01", "2026-04-30", subject)


def test_several_dimensions_at_once() -> None:
    content = (
        b"Date,Query,Page,Country,Device,Clicks,Impressions,CTR,Position\n"
        b"2026-04-02,qr,https://example.com/a,USA,MOBILE,3,40,7.5%,2.5\n"
        b"2026-04-02,qr,https://example.com/a,usa,mobile,3,40,7.5%,2.5\n"
        b"2026-04-02,qr,https://example.com/b,usa,tablet,3,40,7.5%,2.5\n"
        b"2026-04-02,qr,,usa,Desktop,3,40,7.5%,2.5\n"
        b"2026-04-02,qr,https://example.com/c,Germany,watch,3,40,7.5%,2.5\n"
    )
    rows = parsed(content)
    [fact] = rows[0].facts
    assert (fact["query"], fact["page"], fact["device"], fact["country"], fact["date"]) == (
        *("qr", "https://example.com/a", "mobile", "usa"),
        "2026-04-02",
    )
    assert [codes(row) for row in rows[1:]] == [
        [("", "duplicate_row")],
        [],
        [("Page", "missing_value")],
        [("Device", "unknown_value"), ("Country", "unknown_value")],
    ]


def test_a_language_nobody_taught_us_is_recognised_by_arithmetic() -> None:
    rows = [["2026-04-01", "3", "40", "7,50%", "2,5"], ["2026-04-02", "4", "50", "8,00%", "2,6"]]
    plan = planned(lines([["Data", "Kliknięcia", "Wyświetlenia", "CTR", "Pozycja"], *rows], ";").encode())
    assert (plan.format, plan.table, plan.bases["clicks"]) == ("search_console", "dates", "evidence")
    assert [row.facts[0]["position"] for row in parsed(lines([["x", "y", "z", "CTR", "v"], *rows], ";").encode())] == [
        2.5,
        2.6,
    ]


TRACKING = [
    ["Position Tracking: Overview"],
    ["Campaign: Example mobile site"],
    ["Domain: *.example.com/*"],
    ["Location: Google (United States) - English - desktop"],
    ["Date: 20260501-20260502"],
    [],
    [
        *("Keyword", "Tags", "Intents"),
        *("*.example.com/*_20260501", "*.example.com/*_20260501_type", "*.example.com/*_20260501_landing"),
        *("*.example.com/*_20260502", "*.example.com/*_20260502_type", "*.example.com/*_20260502_landing"),
        *("*.example.com/*_difference", "*.rival.org/*_20260501", "*.rival.org/*_20260502"),
        *("Search Volume", "CPC", "Keyword Difficulty"),
    ],
    [
        *("qr scanner", "a|b", "Commercial", "7", "organic", "https://example.com/qr", "5", "featured snippet"),
        *("https://example.com/qr", "2", "3", "4", "2,400", "0.57", "38.5"),
    ],
    ["scan code", "", "i,t", "-", "", "", "", "", "", "", "", "-", "90", "0.1", "12"],
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8 with mark", "utf-16 le with mark"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("preamble", [True, False])
def test_semrush_position_tracking(preamble: bool, delimiter: str, encoding: str) -> None:
    content = ENCODINGS[encoding](lines(TRACKING if preamble else TRACKING[6:], delimiter))
    plan = planned(content, "semrush")
    assert (plan.table, plan.header_row, plan.rows) == ("position_tracking", 7 if preamble else 1, 2)
    assert (plan.told["domain"], plan.told["to"]) == ("example.com", "2026-05-02")
    first, second = parsed(content)
    assert first.metrics == {
        "search_volume": 2400,
        "difficulty_score": 38.5,
        "intent": "commercial",
        "competitor_rankings": [{"competitor": "rival.org", "position": 4}],
    }
    assert [(each["date"], each["position"], each["url"], each.get("features")) for each in first.ranks] == [
        ("2026-05-01", 7, "https://example.com/qr", None),
        ("2026-05-02", 5, "https://example.com/qr", ["featured_snippet"]),
    ]
    assert {(each["device"], each["locale"]) for each in first.ranks} == {
        ("desktop", "en") if preamble else ("all", "und")
    }
    assert [(each["state"], each["depth"], each["date"]) for each in second.ranks] == [("not_found", 100, "2026-05-01")]
    assert second.metrics["competitor_rankings"] == [{"competitor": "rival.org", "position": None}]
    assert "intent" not in second.metrics


ORGANIC = [
    [
        *("Keyword", "Position", "Previous position", "Search Volume", "Keyword Difficulty", "CPC", "URL", "Traffic"),
        *("Traffic (%)", "Traffic Cost", "Competition", "Number of Results", "Trends", "Timestamp"),
        *("SERP Features by Keyword", "Keyword Intents", "Position Type"),
    ],
    [
        *("qr code reader", "3", "4", "110000", "71", "0.53", "https://example.com/reader", "8900", "12.3", "4717"),
        *("0.03", "511000000", "[66,81,100]", "2026-05-10", "Image pack, Reviews", "informational", "Organic"),
    ],
    [
        *("scan it", "0", "", "", "", "", "", "", "", "", "", "", "", "", "", "informational,commercial", ""),
    ],
]


def test_semrush_organic_research() -> None:
    content = lines(ORGANIC, ",").encode()
    assert planned(content).table == "organic_research"
    first, second = parsed(content)
    assert first.metrics == {"search_volume": 110000, "difficulty_score": 71.0, "intent": "informational"}
    assert [(each["position"], each["date"], each["url"], each["features"]) for each in first.ranks] == [
        (3.0, "2026-05-10", "https://example.com/reader", ["image_pack", "reviews"])
    ]
    assert codes(second) == [("Position", "out_of_range")]


NEW_AHREFS = [
    [
        *("Keyword", "Country", "SERP features", "Volume", "KD", "CPC", "Organic traffic", "Current position"),
        *("Current URL", "Updated", "Branded", "Navigational", "Informational", "Commercial", "Transactional"),
    ],
    [
        *("qr code", "us", "Sitelinks,People also ask", "2400", "38", "0.50", "310", "7", "https://example.com/qr"),
        *("2026-05-10 04:11:09", "FALSE", "FALSE", "FALSE", "TRUE", "FALSE"),
    ],
]
OLD_AHREFS = [
    [
        *("#", "Keyword", "Position", "Position History", "Position History Date", "Volume", "URL", "Difficulty"),
        *("Traffic (desc)", "CPC", "Last Update", "Page URL inside", "SERP Features"),
    ],
    [
        *("1", "qr code", "7", "7 up 2", "2026-05-09", "2400", "https://example.com/qr", "38", "310", "0.5"),
        *("2026-05-10 04:11:09", "", "Sitelinks, People also ask"),
    ],
]
COMPARED_AHREFS = [
    [
        *("Keyword", "Country", "Volume", "KD", "CPC", "Previous organic traffic", "Current organic traffic"),
        *("Previous position", "Current position", "Previous URL", "Current URL", "Previous date", "Current date"),
    ],
    [
        *("qr code", "us", "2400", "38", "", "200", "310", "9", "7", "https://example.com/old"),
        *("https://example.com/qr", "2026-04-10", "2026-05-10"),
    ],
]


@pytest.mark.parametrize("layout", [NEW_AHREFS, OLD_AHREFS, COMPARED_AHREFS], ids=["new", "old", "compared"])
@pytest.mark.parametrize(
    ("encoding", "delimiter"),
    [("utf-16 le with mark", "\t"), ("utf-8", ","), ("utf-8 with mark", ","), ("utf-16 le", "\t")],
)
def test_ahrefs_organic_keywords(layout: list[list[str]], encoding: str, delimiter: str) -> None:
    content = ENCODINGS[encoding](lines(layout, delimiter))
    assert (planned(content, "ahrefs").table, planned(content).format) == ("organic_keywords", "ahrefs")
    [row] = parsed(content)
    assert (row.metrics["search_volume"], row.metrics["difficulty_score"]) == (2400, 38.0)
    assert [(each["position"], each["date"], each["url"]) for each in row.ranks] == [
        (7.0, "2026-05-10", "https://example.com/qr")
    ]
    if layout is not COMPARED_AHREFS:
        assert row.ranks[0]["features"] == ["sitelinks", "people_also_ask"]
    assert row.metrics.get("intent") == ("commercial" if layout is NEW_AHREFS else None)


@pytest.mark.parametrize("layout", [ORGANIC[:2], NEW_AHREFS], ids=["semrush", "ahrefs"])
def test_ranks_of_somebody_elses_pages_are_not_ours(layout: list[list[str]]) -> None:
    content = lines(layout, ",").encode()
    ours = replace(UNKNOWN_PERIOD, hosts=("example.com",))
    theirs = replace(UNKNOWN_PERIOD, hosts=("example.org",))
    [own], [foreign] = parsed(content, ours), parsed(content, theirs)
    assert (len(own.ranks), own.foreign) == (1, False)
    assert (foreign.ranks, foreign.foreign, foreign.metrics) == ((), True, own.metrics)


def test_ahrefs_keywords_explorer() -> None:
    header = "#,Keyword,Country,Difficulty,Volume,CPC,Clicks,CPS,Return Rate,Parent Keyword,Last Update,Global volume"
    content = f"{header}\n1,qr code,us,38,2400,0.5,1100,0.4,1.2,qr,2026-05-10,9100\n".encode()
    plan = planned(content)
    assert (plan.format, plan.table, plan.confidence) == ("ahrefs", "keywords_explorer", 0.98)
    [row] = parsed(content)
    assert (row.keyword, row.metrics, row.ranks) == (
        "qr code",
        {"search_volume": 2400, "difficulty_score": 38.0},
        (),
    )
    assert "Clicks" in plan.ignored


PLANNER_HEADER = [
    *("Keyword", "Currency", "Avg. monthly searches", "Three month change", "YoY change", "Competition"),
    *("Competition (indexed value)", "Top of page bid (low range)", "Top of page bid (high range)"),
    *("Searches: Jan 2025", "Searches: Feb 2025"),
]
PLANNER = [
    ["Keyword Stats 2026-01-15 at 10_30_00"],
    ["January 1, 2025 - December 31, 2025"],
    PLANNER_HEADER,
    ["qr code", "USD", "2400", "0%", "-18%", "Low", "12", "0.10", "1.25", "2000", "2800"],
    ["ranged", "USD", "1K \u2013 10K", "0%", "0%", "High", "88", "", "", "", ""],
    ["rare", "USD", "10 \u2013 100", "", "", "", "", "", "", "", ""],
    ["by month", "USD", "", "", "", "", "", "", "", "300", "500"],
    ["unknown", "USD", "\u2013", "", "", "", "", "", "", "", ""],
]


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-16 le with mark", "\t"), ("utf-8", ","), ("utf-16 le", "\t"), ("utf-8", ";")]
)
def test_keyword_planner(encoding: str, delimiter: str) -> None:
    content = ENCODINGS[encoding](lines(PLANNER, delimiter))
    plan = planned(content, "keyword_planner")
    assert (plan.header_row, plan.told["to"], plan.rows) == (3, "2025-12-31", 5)
    rows = parsed(content, wanted="keyword_planner")
    assert [(row.keyword, row.metrics.get("search_volume"), row.source) for row in rows] == [
        ("qr code", 2400, ""),
        ("ranged", 3162, "range"),
        ("rare", 32, "range"),
        ("by month", 400, ""),
        ("unknown", None, ""),
    ]
    assert all("difficulty_score" not in row.metrics for row in rows)
    assert "Competition (indexed value)" in plan.ignored


PLAIN = {
    "en": ("Keyword", "Search volume", "Difficulty"),
    "de": ("Suchbegriff", "Suchvolumen", "Schwierigkeit"),
    "fr": ("Mot-clé", "Volume de recherche", "Difficulté"),
    "es": ("Palabra clave", "Volumen de búsqueda", "Dificultad"),
    "it": ("Parola chiave", "Volume di ricerca", "Difficoltà"),
    "pt": ("Palavra-chave", "Volume de pesquisa", "Dificuldade"),
    "nl": ("Zoekwoord", "Zoekvolume", "Moeilijkheid"),
    "ja": ("キーワード", "検索ボリューム", "難易度"),
}


@pytest.mark.parametrize("locale", LOCALES, ids=[locale.name for locale in LOCALES])
@pytest.mark.parametrize("language", PLAIN)
def test_a_plain_table_says_the_same_in_every_language(language: str, locale: Locale) -> None:
    told = [("erstes", 1234567, 12.5), ("zweites", 90, 7.25), ("drittes", None, None)]
    rows = [[text, locale(volume), locale(kd, None if kd is None else 2)] for text, volume, kd in told]
    content = lines([list(PLAIN[language]), *rows], ";").encode()
    assert planned(content).language == (None if language == "en" else language)
    assert [
        (row.keyword, row.metrics.get("search_volume"), row.metrics.get("difficulty_score"), codes(row))
        for row in parsed(content)
    ] == [(*each, []) for each in told]


TOOLS = {
    "search_console": lines(queries(header_in("en"), LOCALES[0]), ","),
    "semrush": lines(ORGANIC, ","),
    "ahrefs": lines(NEW_AHREFS, ","),
    "keyword_planner": lines(PLANNER, ","),
}


@pytest.mark.parametrize(("written", "named"), list(itertools.permutations(TOOLS, 2)))
def test_an_export_of_another_tool_than_named_is_refused_with_what_it_is(written: str, named: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        planned(TOOLS[written].encode(), named)
    assert refusal.value.code == "wrong_format"
    assert refusal.value.details["looks_like"] == written
    assert planned(TOOLS[written].encode()).title in refusal.value.detail


@pytest.mark.parametrize("written", TOOLS)
def test_every_export_may_be_read_as_the_plain_table_it_also_is(written: str) -> None:
    assert planned(TOOLS[written].replace("Top queries", "Query").encode(), "csv").format == "csv"


def test_tables_that_count_otherwise_are_named_and_refused() -> None:
    for first, cell in (("Country", "Germany"), ("Search Appearance", "Videos")):
        with pytest.raises(Unprocessable) as refusal:
            planned(f"{first},Clicks,Impressions,CTR,Position\n{cell},1,10,10%,3\n".encode())
        assert refusal.value.code == "unsupported_table"


def test_the_list_of_refused_rows_comes_back_corrected_and_says_what_the_file_said() -> None:
    content = b"keyword,volume,row_number,errors\n'=SUM(A1),5,3,\"Volume: invalid_number ('x' is not a number)\"\n"
    plan = planned(content)
    assert (plan.returned, plan.ignored) == (True, [])
    [row] = parsed(content)
    assert (row.keyword, row.metrics) == ("=SUM(A1)", {"search_volume": 5})


def test_undated_rows_are_of_the_day_of_the_upload() -> None:
    [row] = parsed(b"keyword,rank\nqr,5\n", UNKNOWN_PERIOD)
    assert row.ranks[0]["date"] == "2026-05-17"
