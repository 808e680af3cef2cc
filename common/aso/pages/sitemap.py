"""Reading sitemaps (https://www.sitemaps.org/protocol.html): sets of addresses and indexes, XML or text, packed or not.

A sitemap is a stranger's XML. It is read as a stream by expat; a document type declaration, which sitemaps have no use
for, ends the reading before anything in it is defined: no entity is ever expanded and nothing is ever fetched. Depth,
bytes (also unpacked ones) and entries are bounded, and what goes beyond is told.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from xml.parsers import expat

from common.gunzip import BadGzip, TooLarge, gunzip

MAX_BYTES = 52_428_800
"""Bytes of a sitemap, unpacked (50 MiB)."""

MAX_ENTRIES = 50_000
MAX_DEPTH = 20
MAX_IMAGES = 1000
"""Images of one page."""

LONGEST = 2048
"""Characters of an address; Google and the protocol's schema agree."""

SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
NEWS = "http://www.google.com/schemas/sitemap-news/0.9"
IMAGE = "http://www.google.com/schemas/sitemap-image/1.1"

Problem = Literal[
    "malformed_xml",
    "dtd_refused",
    "nested_too_deep",
    "too_large",
    "too_many_urls",
    "gzip_damaged",
    "unsupported_encoding",
    "unknown_root",
    "wrong_namespace",
    "empty_sitemap",
]


@dataclass(slots=True)
class Entry:
    """A page, or a sitemap of an index.

    Attributes:
        line: 1-based line at which it begins.
        loc: Its address, white space around it removed; empty where there is none.
        lastmod: As written.
        news_date: ``publication_date`` of a news entry, as written.
        is_news: Whether it is a news entry.
        images: Its images.
        images_without_loc: Images that have no address.
    """

    line: int
    loc: str = ""
    lastmod: str | None = None
    news_date: str | None = None
    is_news: bool = False
    images: int = 0
    images_without_loc: int = 0


@dataclass(slots=True)
class Sitemap:
    """A sitemap that was read, as far as it could be.

    Attributes:
        kind: A set of pages, an index of sitemaps, or neither.
        entries: Its entries in order, at most ``MAX_ENTRIES``.
        problems: What is wrong with it as a whole, each with a detail.
        bytes: Its size, unpacked.
        packed: Whether it was gzip.
    """

    kind: Literal["urlset", "index", "unknown"] = "unknown"
    entries: list[Entry] = field(default_factory=list)
    problems: dict[Problem, str] = field(default_factory=dict)
    bytes: int = 0
    packed: bool = False


class _Stop(Exception):
    """Reading ends here, with what was found so far."""


def read(body: bytes) -> Sitemap:
    """Return what a sitemap says; what is wrong with it is among its ``problems``."""
    sitemap = Sitemap()
    if body.startswith(b"\x1f\x8b"):
        sitemap.packed = True
        try:
            body = gunzip(body, MAX_BYTES)
        except TooLarge as error:
            sitemap.problems["too_large"] = str(error)
            return sitemap
        except BadGzip as error:
            sitemap.problems["gzip_damaged"] = str(error)
            return sitemap
    sitemap.bytes = len(body)
    if len(body) > MAX_BYTES:
        sitemap.problems["too_large"] = f"{len(body)} bytes"
        return sitemap
    if _is_xml(body):
        _Reader(sitemap).read(body)
    else:
        _read_text(sitemap, body)
    if not sitemap.entries and not sitemap.problems:
        sitemap.problems["empty_sitemap"] = "it has no entry"
    return sitemap


def _is_xml(body: bytes) -> bool:
    head = body[:64].lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")
    return head.startswith(b"<") or not head


def _read_text(sitemap: Sitemap, body: bytes) -> None:
    """Read a list of addresses, one a line, in UTF-8."""
    try:
        text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        sitemap.problems["unsupported_encoding"] = f"no XML, and no text in UTF-8 (byte {error.start})"
        return
    if "://" not in text[:4096]:
        sitemap.problems["unknown_root"] = "no XML, and no list of addresses"
        return
    sitemap.kind = "urlset"
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            if len(sitemap.entries) >= MAX_ENTRIES:
                sitemap.problems["too_many_urls"] = f"more than {MAX_ENTRIES}"
                return
            sitemap.entries.append(Entry(line=number, loc=line.strip()[: LONGEST * 2]))


class _Reader:
    """Follows the events of the parser."""

    def __init__(self, sitemap: Sitemap) -> None:
        self._sitemap = sitemap
        self._path: list[str] = []
        self._text: list[str] = []
        self._size = 0
        self._image_loc = False
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.EntityDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._data

    def read(self, body: bytes) -> None:
        """Read everything, or as far as it goes."""
        try:
            with contextlib.suppress(_Stop):
                # At once: older versions of expat begin an unfinished token anew with every piece they are given.
                self._parser.Parse(body, True)  # noqa: FBT003  # the parser's own interface
        except expat.ExpatError as error:
            encoding = error.code in {18, 19}  # unknown encoding; encoding stated wrongly
            reason = f"{expat.ErrorString(error.code)} (line {error.lineno}, column {error.offset + 1})"
            self._sitemap.problems["unsupported_encoding" if encoding else "malformed_xml"] = reason
        except (LookupError, ValueError) as error:
            self._sitemap.problems["unsupported_encoding"] = str(error)[:200]

    def _doctype(self, *_: object) -> None:
        self._stop("dtd_refused", f"a document type declaration (line {self._parser.CurrentLineNumber})")

    def _start(self, name: str, _attributes: Mapping[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        if not self._path:
            self._root(namespace, local)
        self._path.append(f"{_prefix(namespace)}{local}")
        if len(self._path) > MAX_DEPTH:
            self._stop("nested_too_deep", f"more than {MAX_DEPTH} levels")
        self._text, self._size = [], 0
        if len(self._path) == 2 and local in {"url", "sitemap"}:
            if len(self._sitemap.entries) >= MAX_ENTRIES:
                self._stop("too_many_urls", f"more than {MAX_ENTRIES}")
            self._sitemap.entries.append(Entry(line=self._parser.CurrentLineNumber))
        elif len(self._path) == 3 and self._path[2] == "image:image":
            self._image_loc = False
        elif len(self._path) == 3 and self._path[2] == "news:news" and self._sitemap.entries:
            self._sitemap.entries[-1].is_news = True

    def _root(self, namespace: str, local: str) -> None:
        if local not in {"urlset", "sitemapindex"}:
            self._stop("unknown_root", f"its root is {local[:80]!r}")
        self._sitemap.kind = "index" if local == "sitemapindex" else "urlset"
        if namespace != SITEMAP:
            self._sitemap.problems["wrong_namespace"] = f"{namespace[:200] or 'none'} instead of {SITEMAP}"

    def _data(self, text: str) -> None:
        self._size += len(text)
        if self._size <= LONGEST * 2:
            self._text.append(text)

    def _end(self, _: str) -> None:
        path, text = tuple(self._path[1:]), "".join(self._text).strip()
        self._path.pop()
        self._text, self._size = [], 0
        if not self._sitemap.entries or not path or path[0] not in {"url", "sitemap"}:
            return
        entry = self._sitemap.entries[-1]
        match path[1:]:
            case ("loc",):
                entry.loc = entry.loc or text
            case ("lastmod",):
                entry.lastmod = text
            case ("news:news", "news:publication_date"):
                entry.news_date = text
            case ("image:image", "image:loc"):
                self._image_loc = bool(text)
            case ("image:image",):
                entry.images += 1
                entry.images_without_loc += not self._image_loc

    def _stop(self, problem: Problem, detail: str) -> None:
        self._sitemap.problems[problem] = detail
        raise _Stop


def _prefix(namespace: str) -> str:
    if namespace == IMAGE or namespace.startswith("http://www.google.com/schemas/sitemap-image/"):
        return "image:"
    if namespace == NEWS or namespace.startswith("http://www.google.com/schemas/sitemap-news/"):
        return "news:"
    return "" if namespace in {SITEMAP, ""} or "sitemap" in namespace else "other:"
