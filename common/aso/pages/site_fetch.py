"""Fetching the sitemaps of a site: an index one level deep, each sitemap once, and no more than one audit reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from common import fetch
from common.aso.pages import sitemap
from common.aso.pages.site_findings import Findings, look_at_sitemap
from common.aso.pages.sitemap import MAX_BYTES, Entry
from common.context import Context
from common.web_address import joined, web_address

MAX_SITEMAPS = 100
MAX_URLS = 300_000
"""Entries that one audit holds against content and robots.txt."""

RESERVE = 120.0
"""Seconds before the deadline at which no further sitemap is fetched."""

LIMITS = fetch.Limits(max_bytes=MAX_BYTES, seconds=60)


@dataclass(slots=True)
class Collected:
    """The entries of several sitemaps.

    Attributes:
        entries: Name of the sitemap and entry.
        sitemaps: Sitemaps that were read.
    """

    entries: list[tuple[str, Entry]] = field(default_factory=list)
    sitemaps: int = 0


@dataclass(slots=True)
class _Waiting:
    """A sitemap to read, and whether an index lists it."""

    url: str
    of_index: bool


def fetched(context: Context, urls: Sequence[str], findings: Findings, told: Callable[[int], None]) -> Collected:
    """Return the entries of sitemaps and of those that they list.

    Args:
        context: Circumstances.
        urls: Where to begin.
        findings: What is wrong with a sitemap is noted here.
        told: Called with the number of sitemaps read so far, after each.
    """
    found = Collected()
    waiting = deque(_Waiting(url, of_index=False) for url in urls)
    seen: set[str] = set()
    while waiting:
        following = waiting.popleft()
        full = found.sitemaps >= MAX_SITEMAPS or len(found.entries) >= MAX_URLS
        if full or context.deadline.remaining < RESERVE:
            findings.add("sitemaps_left_out", url=following.url)
            for left in waiting:
                findings.add("sitemaps_left_out", url=left.url)
            break
        if following.url in seen:
            findings.add("sitemap_repeated", url=following.url)
            continue
        seen.add(following.url)
        read = _read(context, following.url, findings)
        if read is None:
            continue
        found.sitemaps += 1
        told(found.sitemaps)
        if read.kind != "index":
            found.entries += [(following.url, entry) for entry in read.entries[: MAX_URLS - len(found.entries)]]
        elif following.of_index:
            findings.add("nested_index", url=following.url)
        else:
            waiting.extend(_children(following.url, read.entries, findings))
    return found


def _read(context: Context, url: str, findings: Findings) -> sitemap.Sitemap | None:
    try:
        answer = fetch.get(context, url, limits=LIMITS)
    except fetch.FetchFailed as error:
        findings.add(
            "too_large" if error.code == "response_too_large" else "sitemap_not_fetched", url=url, detail=error.code
        )
        return None
    except fetch.FetchRefused as error:
        findings.add("sitemap_not_fetched", url=url, detail=error.code)
        return None
    if not 200 <= answer.status < 300:
        findings.add("sitemap_not_fetched", url=url, detail=f"http_{answer.status}")
        return None
    read = sitemap.read(answer.body)
    look_at_sitemap(findings, read, url)
    return read


def _children(url: str, entries: Iterable[Entry], findings: Findings) -> list[_Waiting]:
    children = []
    base = web_address(url)
    for entry in entries:
        where = f"{url}:{entry.line}"
        if not entry.loc:
            findings.add("missing_loc", where=where)
            continue
        try:
            child = joined(base, entry.loc).url if "://" in entry.loc else None
        except fetch.FetchRefused:
            child = None
        if child is None:
            findings.add("invalid_url", url=entry.loc, where=where)
        elif child == base.url:
            findings.add("nested_index", url=child, where=where, detail="lists itself")
        else:
            children.append(_Waiting(child, of_index=True))
    return children
