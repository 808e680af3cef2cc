"""Holding sitemaps, robots.txt and our own content against one another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, parse_qsl, urlsplit

from common.aso.addresses import TRACKING, page_key
from common.aso.models import ContentPiece
from common.aso.pages.robots import Robots, Rules
from common.aso.pages.site_models import Example, Finding, FindingCode, Severity
from common.aso.pages.sitemap import LONGEST, MAX_ENTRIES, Entry, Sitemap
from common.errors import Unprocessable
from common.hosts import host_of, registrable_host

EXAMPLES = 20
SHOWN = 500
"""Characters of an address that an example shows."""

COMPARISONS = 30_000_000
"""Patterns of robots.txt times addresses; more is an attack on the time it takes."""

NEWS_AGE = timedelta(days=2)
STALE = timedelta(days=7)
"""How much later than its ``lastmod`` a piece was changed before the entry counts as stale."""

AHEAD = timedelta(days=1)

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?)?)?")

MEANINGS: Mapping[FindingCode, tuple[Severity, str]] = {
    "malformed_xml": ("error", "A sitemap is no well-formed XML; robots give up where it breaks."),
    "dtd_refused": ("error", "A sitemap declares a document type. It needs none, and was not read for safety."),
    "nested_too_deep": ("error", "A sitemap nests elements deeper than any sitemap does."),
    "too_large": ("error", "A sitemap has more than 50 MiB unpacked."),
    "too_many_urls": ("error", f"A sitemap has more than {MAX_ENTRIES} entries; the rest was not read."),
    "gzip_damaged": ("error", "A packed sitemap cannot be unpacked."),
    "unsupported_encoding": ("error", "A sitemap is in an encoding that cannot be read; it must be UTF-8."),
    "unknown_root": ("error", "A file is no sitemap."),
    "wrong_namespace": ("warning", "A sitemap has another namespace than the protocol's."),
    "empty_sitemap": ("warning", "A sitemap has no entry."),
    "nested_index": ("error", "An index lists another index, or itself; robots do not follow it."),
    "sitemap_repeated": ("warning", "A sitemap is listed more than once."),
    "sitemap_not_fetched": ("error", "A sitemap could not be fetched."),
    "sitemaps_left_out": ("warning", "There are more sitemaps than one audit reads."),
    "missing_loc": ("error", "Entries without an address."),
    "invalid_url": ("error", "Entries whose address is no absolute http or https address."),
    "url_too_long": ("error", f"Addresses of more than {LONGEST} characters."),
    "wrong_host": ("error", "Addresses of another host than the sitemap's; robots ignore them."),
    "http_on_https_site": ("warning", "Addresses with http on a site that has https."),
    "not_canonical": ("warning", "Addresses that are not written in their canonical form."),
    "parametrised_url": ("notice", "Addresses with parameters; those that name a click are never the page's own."),
    "duplicate_url": ("warning", "Addresses that are listed more than once."),
    "invalid_lastmod": ("error", "lastmod is no date of the W3C format."),
    "future_lastmod": ("warning", "lastmod lies in the future."),
    "stale_lastmod": ("warning", "Pieces that were changed more than a week after their lastmod."),
    "invalid_news_date": ("error", "News without a valid publication date."),
    "news_too_old": ("warning", "News older than two days; news sitemaps list the last two days only."),
    "image_without_loc": ("error", "Images without an address."),
    "blocked_by_robots": ("error", "Addresses in a sitemap that robots.txt forbids."),
    "not_in_content": ("notice", "Addresses in a sitemap that no content piece has."),
    "missing_from_sitemap": ("warning", "Published pieces that no sitemap lists."),
    "content_left_out": ("notice", "There are more content pieces than one audit compares."),
    "robots_not_fetched": (
        "error",
        "robots.txt could not be fetched; robots stay away from a site whose robots.txt fails.",
    ),
    "robots_too_large": ("warning", "robots.txt has more than 500 KiB; robots ignore the rest."),
    "robots_strange_line": ("notice", "Lines of robots.txt that mean nothing."),
    "robots_blocks_everything": ("error", "robots.txt forbids the whole site."),
    "robots_names_no_sitemap": ("notice", "robots.txt names no sitemap."),
    "robots_relative_sitemap": ("warning", "robots.txt names a sitemap by an address that is not absolute."),
}
"""Severity and meaning of each finding."""

_RANK = {"error": 0, "warning": 1, "notice": 2}


@dataclass(slots=True)
class Findings:
    """What was found so far, with the first examples of each."""

    counts: dict[FindingCode, int] = field(default_factory=dict)
    examples: dict[FindingCode, list[Example]] = field(default_factory=dict)

    def add(
        self,
        code: FindingCode,
        url: str | None = None,
        where: str | None = None,
        detail: str | None = None,
        content_id: str | None = None,
    ) -> None:
        """Count a finding."""
        self.counts[code] = self.counts.get(code, 0) + 1
        kept = self.examples.setdefault(code, [])
        if len(kept) < EXAMPLES:
            short = None if url is None else url[:SHOWN]
            kept.append(
                Example(
                    url=short, where=where and where[:SHOWN], detail=detail and detail[:SHOWN], content_id=content_id
                )
            )

    def listed(self) -> list[Finding]:
        """Return the findings, errors first, in the order of ``MEANINGS``."""
        found = [
            Finding(
                code=code, severity=severity, count=self.counts[code], message=message, examples=self.examples[code]
            )
            for code, (severity, message) in MEANINGS.items()
            if code in self.counts
        ]
        return sorted(found, key=lambda finding: _RANK[finding.severity])

    def total(self, severity: Severity) -> int:
        """Return how many were counted of a severity."""
        return sum(count for code, count in self.counts.items() if MEANINGS[code][0] == severity)


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What the sitemaps are held against.

    Attributes:
        host: Host of the site; None where nothing tells.
        is_https: Whether the site has https.
        rules: Rules of robots.txt for the agent that counts; None where there is no robots.txt.
        now: The moment of the audit.
    """

    host: str | None
    is_https: bool
    rules: Rules | None
    now: datetime


def look_at_robots(findings: Findings, robots: Robots, agent: str) -> Rules:
    """Note what is wrong with a robots.txt; return its rules for an agent."""
    rules = robots.rules_for(agent)
    if robots.cut:
        findings.add("robots_too_large")
    for line, text in robots.strange.items():
        findings.add("robots_strange_line", where=f"robots.txt:{line}", detail=text)
    if not robots.sitemaps:
        findings.add("robots_names_no_sitemap")
    for line, address in robots.sitemaps:
        if not address.lower().startswith(("http://", "https://")):
            findings.add("robots_relative_sitemap", url=address, where=f"robots.txt:{line}")
    root = rules.verdict("/")
    if not root.allowed and not rules.verdict("/index.html").allowed and root.rule is not None:
        findings.add("robots_blocks_everything", where=f"robots.txt:{root.rule.line}", detail=root.rule.text)
    return rules


def look_at_sitemap(findings: Findings, sitemap: Sitemap, name: str) -> None:
    """Note what is wrong with a sitemap as a whole."""
    for problem, detail in sitemap.problems.items():
        findings.add(problem, where=name, detail=detail)


def look_at_entries(
    findings: Findings, entries: Iterable[tuple[str, Entry]], site: Site, pieces: Sequence[ContentPiece]
) -> int:
    """Hold the entries of all sitemaps against the site, its robots.txt and our pieces; return how many there were.

    Args:
        findings: Where to note.
        entries: Name of the sitemap and entry.
        site: The site.
        pieces: The published pieces of the site.

    Raises:
        Unprocessable: ``robots_too_complex``.
    """
    ours = {key: piece for piece in pieces if (key := page_key(piece.url or "")) is not None}
    seen, keys, count, compared = set[str](), set[str](), 0, 0
    for name, entry in entries:
        count += 1
        where = f"{name}:{entry.line}"
        _look_at_extras(findings, entry, where, site.now)
        parts = _address(findings, entry, where)
        if parts is None:
            continue
        if entry.loc in seen:
            findings.add("duplicate_url", url=entry.loc, where=where)
            continue
        seen.add(entry.loc)
        _look_at_address(findings, entry.loc, parts, where, site)
        if site.rules is not None:
            compared += site.rules.patterns
            if compared > COMPARISONS:
                raise Unprocessable("robots_too_complex", "robots.txt has too many patterns for so many addresses.")
            _look_at_rules(findings, entry.loc, where, site.rules)
        key = page_key(entry.loc)
        if key is not None:
            keys.add(key)
            _look_at_piece(findings, entry, where, ours, key)
    for key, piece in ours.items():
        if key not in keys:
            findings.add("missing_from_sitemap", url=piece.url, content_id=piece.content_id)
    return count


def parsed_date(text: str) -> datetime | None:
    """Return the moment of a W3C date and time (https://www.w3.org/TR/NOTE-datetime); days in UTC; None: no date."""
    if not _DATE.fullmatch(text):
        return None
    padded = text if len(text) >= 10 else text + "-01-01"[len(text) - 4 :]
    try:
        moment = datetime.fromisoformat(padded)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _address(findings: Findings, entry: Entry, where: str) -> SplitResult | None:
    if not entry.loc:
        findings.add("missing_loc", where=where)
        return None
    if len(entry.loc) > LONGEST:
        findings.add("url_too_long", url=entry.loc, where=where)
        return None
    try:
        parts = urlsplit(entry.loc)
        valid = parts.scheme.lower() in {"http", "https"} and host_of(entry.loc) is not None
    except ValueError:
        valid = False
    if not valid:
        findings.add("invalid_url", url=entry.loc, where=where)
        return None
    return parts


def _look_at_address(findings: Findings, loc: str, parts: SplitResult, where: str, site: Site) -> None:
    host = (parts.hostname or "").removesuffix(".")
    if site.host is not None and host != site.host:
        findings.add("wrong_host", url=loc, where=where, detail=f"{host} instead of {site.host}")
    if site.is_https and parts.scheme.lower() == "http":
        findings.add("http_on_https_site", url=loc, where=where)
    odd = _odd(loc, parts)
    if odd:
        findings.add("not_canonical", url=loc, where=where, detail=odd)
    if parts.query:
        clicks = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if TRACKING.fullmatch(name)]
        detail = f"names a click: {', '.join(clicks[:5])}" if clicks else None
        findings.add("parametrised_url", url=loc, where=where, detail=detail)


def _odd(loc: str, parts: SplitResult) -> str | None:
    """Return why an address is not written in its canonical form (RFC 3986, 6.2)."""
    if "#" in loc:
        return "fragment"
    if parts.scheme != parts.scheme.lower() or parts.netloc != parts.netloc.lower():
        return "capital letters in the host"
    if "@" in parts.netloc:
        return "user name"
    if parts.netloc.endswith((":80", ":443")):
        return "port"
    if "//" in parts.path or re.search(r"/\.{1,2}(/|$)", parts.path):
        return "empty or dot segments in the path"
    return "session id" if re.search(r"[;?&](jsessionid|phpsessid|sid|sessionid)=", loc, re.IGNORECASE) else None


def _look_at_extras(findings: Findings, entry: Entry, where: str, now: datetime) -> None:
    """Look at what an entry says besides its address."""
    if entry.lastmod is not None:
        moment = parsed_date(entry.lastmod)
        if moment is None:
            findings.add("invalid_lastmod", url=entry.loc, where=where, detail=entry.lastmod)
        elif moment > now + AHEAD:
            findings.add("future_lastmod", url=entry.loc, where=where, detail=entry.lastmod)
    if entry.is_news:
        moment = parsed_date(entry.news_date or "")
        if moment is None:
            findings.add("invalid_news_date", url=entry.loc, where=where, detail=entry.news_date)
        elif moment < now - NEWS_AGE:
            findings.add("news_too_old", url=entry.loc, where=where, detail=entry.news_date)
    if entry.images_without_loc:
        findings.add("image_without_loc", url=entry.loc, where=where, detail=f"{entry.images_without_loc} images")


def _look_at_rules(findings: Findings, loc: str, where: str, rules: Rules) -> None:
    verdict = rules.verdict(loc)
    if not verdict.allowed and verdict.rule is not None:
        detail = f"{verdict.rule.text} (line {verdict.rule.line})"
        findings.add("blocked_by_robots", url=loc, where=where, detail=detail)


def _look_at_piece(findings: Findings, entry: Entry, where: str, ours: Mapping[str, ContentPiece], key: str) -> None:
    piece = ours.get(key)
    if piece is None:
        if ours:
            findings.add("not_in_content", url=entry.loc, where=where)
        return
    moment = parsed_date(entry.lastmod or "")
    changed = piece.updated_at or piece.published_at
    if moment is not None and changed is not None and changed > moment + STALE:
        detail = f"lastmod {entry.lastmod}, changed {changed.date().isoformat()}"
        findings.add("stale_lastmod", url=entry.loc, where=where, detail=detail, content_id=piece.content_id)


def of_site(pieces: Iterable[ContentPiece], host: str | None) -> list[ContentPiece]:
    """Return the pieces that belong to a site: published, with an address on its registrable host."""
    site = None if host is None else registrable_host(host)
    return [
        piece
        for piece in pieces
        if piece.status == "published"
        and piece.url is not None
        and (site is None or registrable_host(piece.url) == site)
    ]
