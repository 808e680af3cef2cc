"""Rows a second from the bytes of an export to parsed rows, per tool, against ``csv.DictReader`` over the same bytes.

The peer decodes the file and makes a dictionary of texts a row: it reads no number, checks nothing and knows no tool.
Ours makes the plan of the file (recognition, decimal marks, counting), reads every number, day and address, and judges
repetitions and totals. Times are of the processor, the best of a few rounds.
"""

from __future__ import annotations

import csv
import functools
import io
import random
import time
from collections.abc import Callable
from datetime import date

from common.aso.imports.plan import plan_of
from common.aso.imports.rows import parsed_rows
from common.aso.imports.table import Circumstances
from tests.bench.report import Measurement

ROWS = 20_000
ROUNDS = 3
AIM = 15.0
TODAY = date(2026, 5, 17)
PERIOD = Circumstances(as_of=date(2026, 4, 30), days=30, latest=TODAY, first=date(2026, 4, 1))


def _phrases() -> list[str]:
    random.seed(7)
    words = ["scan", "qr", "code", "reader", "größe", "app", "online", "free", "barcode", "बारकोड"]
    return [f"{' '.join(random.sample(words, 3))} {number}" for number in range(ROWS)]


def _search_console(phrase: str, number: int) -> str:
    clicks, shown = number % 500, number + 500
    return f"{phrase},{clicks},{shown},{clicks / shown:.2%},{number % 90 + 1}.{number % 97:02}"


def _semrush(phrase: str, number: int) -> str:
    address = f"https://example.com/{number}"
    return (
        f'"{phrase}",{number % 100 + 1},{number % 90 + 1},{number},{number % 100}.5,0.53,{address},{number},1.2,4.7,'
        f'0.03,511000,"[66,81]",2026-05-10,"Image pack, Reviews",informational,Organic'
    )


def _tracking(phrase: str, number: int) -> str:
    days = ",".join(f"{(number + day) % 100 + 1},organic,https://example.com/{number}" for day in range(7))
    return f"{phrase},,commercial,{days},{number % 30 + 1},{number},{number % 100}.5"


def _ahrefs(phrase: str, number: int) -> str:
    return f"{phrase}\tus\t{number}\t{number % 100}\t0.5\t310\t{number % 100 + 1}\thttps://example.com/{number}\t2026-05-10"


def _planner(phrase: str, number: int) -> str:
    volume = number if number % 3 else "1K \u2013 10K"
    return f"{phrase}\tUSD\t{volume}\t0%\t-18%\tLow\t{number % 100}\t0.10\t1.25\t2000\t2800"


def _plain(phrase: str, number: int) -> str:
    return f"{phrase};{number};{number % 100},25;{number % 100 + 1};2026-05-10"


TRACKED = ",".join(
    f"*.example.com/*_2026050{day},*.example.com/*_2026050{day}_type,*.example.com/*_2026050{day}_landing"
    for day in range(1, 8)
)
ORGANIC = (
    "Keyword,Position,Previous position,Search Volume,Keyword Difficulty,CPC,URL,Traffic,Traffic (%),Traffic Cost,"
    "Competition,Number of Results,Trends,Timestamp,SERP Features by Keyword,Keyword Intents,Position Type"
)
PLANNER = (
    "Keyword\tCurrency\tAvg. monthly searches\tThree month change\tYoY change\tCompetition\t"
    "Competition (indexed value)\tTop of page bid (low range)\tTop of page bid (high range)\t"
    "Searches: Jan 2026\tSearches: Feb 2026"
)
FILES: dict[str, tuple[str, str, Callable[[str, int], str], str]] = {
    "Search Console queries": (",", "Top queries,Clicks,Impressions,CTR,Position", _search_console, "utf-8"),
    "Semrush Organic Research": (
        ",",
        ORGANIC,
        _semrush,
        "utf-8",
    ),
    "Semrush Position Tracking, 7 days": (
        ",",
        f"Keyword,Tags,Intents,{TRACKED},*.rival.org/*_20260507,Search Volume,Keyword Difficulty",
        _tracking,
        "utf-8",
    ),
    "Ahrefs organic keywords, UTF-16": (
        "\t",
        "Keyword\tCountry\tVolume\tKD\tCPC\tOrganic traffic\tCurrent position\tCurrent URL\tUpdated",
        _ahrefs,
        "utf-16",
    ),
    "Keyword Planner, UTF-16": (
        "\t",
        PLANNER,
        _planner,
        "utf-16",
    ),
    "plain table, decimal commas": (";", "keyword;volume;kd;rank;date", _plain, "utf-8"),
}


def _timed(work: Callable[[], int]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        rows = work()
        best = min(best, time.process_time() - started)
        assert rows == ROWS
    return best


def _ours(content: bytes) -> int:
    plan = plan_of(content, "auto", {}, None)
    return sum(not row.problems for row in parsed_rows(io.BytesIO(content), plan, PERIOD))


def _peer(content: bytes, delimiter: str, encoding: str) -> int:
    text = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline="")
    return sum(1 for _ in csv.DictReader(text, delimiter=delimiter))


def run() -> list[Measurement]:
    """Measure every tool's export in turn."""
    phrases = _phrases()
    found = []
    for name, (delimiter, header, line, encoding) in FILES.items():
        lines = [header, *(line(phrase, number) for number, phrase in enumerate(phrases))]
        content = ("\n".join(lines) + "\n").encode(encoding)
        ours = _timed(functools.partial(_ours, content))
        peer = _timed(functools.partial(_peer, content, delimiter, encoding))
        ratio = ours / peer
        found.append(
            Measurement(
                name=name,
                ours=f"{ROWS / ours:,.0f} rows/s",
                peer=f"csv.DictReader: {ROWS / peer:,.0f} rows/s",
                ratio=ratio,
                aim=f"at most {AIM:g} times its time",
                met=ratio <= AIM,
            )
        )
    return found
