"""What an audit needs to know of a page: head, headings, links, images, and its text without boilerplate.

Boilerplate is what stands in ``nav``, and in ``header`` and ``footer`` outside of ``main`` and ``article``; scripts,
styles, templates, drawings and what is shown without scripts only are no text at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin

from common.aso.pages.markup import End, Start, Text, tokens

_VOID = "area base br col embed hr img input link meta param source track wbr"
VOID = frozenset(_VOID.split())
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
NO_TEXT = frozenset({"noscript", "template", "svg", "math", "object", "select"})
BOILERPLATE = frozenset({"header", "footer"})
CONTENT = frozenset({"main", "article"})
_INLINE = (
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark q s samp small span strike "
    "strong sub sup time tt u var wbr"
)
INLINE = frozenset(_INLINE.split())
"""Elements at whose edges a sentence goes on."""

NOT_FOLLOWED = frozenset({"nofollow", "ugc", "sponsored"})
MAX_KEPT = 5000
"""Links, images and headings of each kind that are kept."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link: where it leads as written, its text, and whether it asks not to be followed."""

    href: str
    text: str
    nofollow: bool


@dataclass(frozen=True, slots=True)
class Image:
    """An image: where it is, and its alternative text; None where there is none, empty where it decorates."""

    src: str
    alt: str | None


@dataclass(slots=True)
class Page:
    """A page as it was read.

    Attributes:
        title: Text of the first ``title``; None where there is none.
        meta: Contents of named ``meta`` tags in order, by lower-case name (``property`` counts as a name).
        canonicals: Addresses of ``link rel=canonical``, as written.
        hreflangs: Language and address of ``link rel=alternate hreflang``.
        language: ``lang`` of the ``html`` element.
        base: ``href`` of the first ``base``.
        headings: Level and text, in order.
        links: Links with an address.
        images: Images.
        json_ld: Contents of ``script type=application/ld+json``.
        microdata: Elements with ``itemscope`` or RDFa ``typeof``.
        blocks: The text without boilerplate and headings, a block each.
    """

    title: str | None = None
    meta: dict[str, list[str]] = field(default_factory=dict)
    canonicals: list[str] = field(default_factory=list)
    hreflangs: list[tuple[str, str]] = field(default_factory=list)
    language: str | None = None
    base: str | None = None
    headings: list[tuple[int, str]] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    json_ld: list[str] = field(default_factory=list)
    microdata: int = 0
    blocks: list[str] = field(default_factory=list)

    def resolved(self, url: str | None, href: str) -> str | None:
        """Return where a link on the page leads; None where that cannot be told."""
        try:
            base = urljoin(url or "", self.base.strip()) if self.base else url or ""
            return urljoin(base, href.strip()) or None
        except ValueError:
            return None


def read(source: str) -> Page:
    """Return what a page says.

    Raises:
        Unprocessable: ``page_too_complex``.
    """
    reader = _Reader()
    for token in tokens(source):
        if isinstance(token, Text):
            reader.text(token.text)
        elif isinstance(token, Start):
            reader.start(token)
        else:
            reader.end(token)
    reader.block_over()
    return reader.page


def of_text(text: str) -> Page:
    """Return a page that is nothing but text; empty lines part its blocks."""
    blocks = [" ".join(part.split()) for part in text.replace("\r\n", "\n").split("\n\n")]
    return Page(blocks=[block for block in blocks if block])


class _Reader:
    """Goes along the tokens, remembering what is open."""

    def __init__(self) -> None:
        self.page = Page()
        self._open: list[str] = []
        self._counts: Counter[str] = Counter()
        self._block: list[str] = []
        self._heading: list[str] | None = None
        self._level = 0
        self._link: tuple[str, bool, list[str]] | None = None

    def text(self, text: str) -> None:
        """Take text."""
        if any(self._counts[name] for name in NO_TEXT):
            return
        if self._link is not None:
            self._link[2].append(text)
        if self._heading is not None:
            self._heading.append(text)
        elif not self._is_boilerplate():
            self._block.append(text)

    def start(self, tag: Start) -> None:
        """Take a start tag."""
        if tag.name not in INLINE:
            self._part_words()
        if "itemscope" in tag.attributes or "typeof" in tag.attributes:
            self.page.microdata += 1
        handler = _HANDLERS.get(tag.name)
        if handler is not None:
            handler(self, tag)
        if tag.name in HEADINGS:
            self._heading_over()
            self._heading, self._level = [], int(tag.name[1])
        if tag.raw is None and tag.name not in VOID:
            self._open.append(tag.name)
            self._counts[tag.name] += 1

    def end(self, tag: End) -> None:
        """Take an end tag: it closes what was opened within, too; one that closes nothing is passed over."""
        if tag.name not in INLINE:
            self._part_words()
        if tag.name == "a":
            self._link_over()
        if tag.name in HEADINGS:
            self._heading_over()
        if not self._counts[tag.name]:
            return
        while True:
            name = self._open.pop()
            self._counts[name] -= 1
            if name == tag.name:
                return

    def block_over(self) -> None:
        """End a block of text."""
        if self._block:
            block = " ".join("".join(self._block).split())
            self._block = []
            if block:
                self.page.blocks.append(block)

    def head_title(self, tag: Start) -> None:
        """Take the title, unless it is one of a drawing."""
        if self.page.title is None and not self._counts["svg"]:
            self.page.title = " ".join((tag.raw or "").split())

    def head_meta(self, tag: Start) -> None:
        """Take a named ``meta``."""
        name = tag.attributes.get("name") or tag.attributes.get("property") or tag.attributes.get("http-equiv")
        if name and "content" in tag.attributes:
            self.page.meta.setdefault(name.strip().lower(), []).append(tag.attributes["content"].strip())

    def head_link(self, tag: Start) -> None:
        """Take a ``link``."""
        kinds, href = tag.attributes.get("rel", "").lower().split(), tag.attributes.get("href")
        if href is None:
            return
        if "canonical" in kinds:
            self.page.canonicals.append(href.strip())
        if "alternate" in kinds and "hreflang" in tag.attributes:
            self.page.hreflangs.append((tag.attributes["hreflang"].strip(), href.strip()))

    def root(self, tag: Start) -> None:
        """Take the language of the page."""
        self.page.language = self.page.language or tag.attributes.get("lang", "").strip() or None

    def head_base(self, tag: Start) -> None:
        """Take the base address."""
        self.page.base = self.page.base or tag.attributes.get("href")

    def image(self, tag: Start) -> None:
        """Take an image."""
        if len(self.page.images) < MAX_KEPT:
            alt = tag.attributes.get("alt")
            self.page.images.append(Image(tag.attributes.get("src", ""), alt))
            if self._link is not None and alt:
                self._link[2].append(f" {alt} ")
            if self._heading is not None and alt:
                self._heading.append(f" {alt} ")

    def anchor(self, tag: Start) -> None:
        """Begin a link."""
        self._link_over()
        href = tag.attributes.get("href")
        if href is not None:
            nofollow = bool(NOT_FOLLOWED & set(tag.attributes.get("rel", "").lower().split()))
            self._link = (href.strip(), nofollow, [])

    def script(self, tag: Start) -> None:
        """Keep structured data."""
        if tag.attributes.get("type", "").partition(";")[0].strip().lower() == "application/ld+json":
            self.page.json_ld.append(tag.raw or "")

    def _part_words(self) -> None:
        """Keep words apart that stand in different blocks or lines."""
        self.block_over()
        for text in (self._heading, self._link[2] if self._link else None):
            if text is not None:
                text.append(" ")

    def _is_boilerplate(self) -> bool:
        if self._counts["nav"]:
            return True
        inside = any(self._counts[name] for name in CONTENT)
        return not inside and any(self._counts[name] for name in BOILERPLATE)

    def _heading_over(self) -> None:
        if self._heading is not None and len(self.page.headings) < MAX_KEPT:
            self.page.headings.append((self._level, " ".join("".join(self._heading).split())))
        self._heading = None

    def _link_over(self) -> None:
        if self._link is not None and len(self.page.links) < MAX_KEPT:
            href, nofollow, text = self._link
            self.page.links.append(Link(href, " ".join("".join(text).split())[:200], nofollow))
        self._link = None


_HANDLERS: Mapping[str, Callable[[_Reader, Start], None]] = {
    "a": _Reader.anchor,
    "base": _Reader.head_base,
    "html": _Reader.root,
    "img": _Reader.image,
    "link": _Reader.head_link,
    "meta": _Reader.head_meta,
    "script": _Reader.script,
    "title": _Reader.head_title,
}
