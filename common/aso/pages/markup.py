"""Reading HTML as it is found: tags, text and raw text, in one pass whose time grows with the length and nothing else.

The tokens are those of the HTML standard's tokenizer (https://html.spec.whatwg.org/multipage/parsing.html#tokenization)
as far as an audit needs them. No tree is built: the standard's repair of wrongly nested tags multiplies elements, and a
page of 27 KB made for it takes a conforming parser 1.4 GB; Python's own ``html.parser`` takes 14 seconds for 96 KB of
opened quotes. What is wrong in the markup ends as it does in a browser: an unclosed comment or quote hides the rest.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from common.errors import Unprocessable

MAX_TAGS = 200_000
"""Tags of a page; Lighthouse calls 1,400 elements excessive."""

MAX_ATTRIBUTES = 100
"""Attributes of a tag that are kept; more are read and left out."""

RAW = frozenset({"script", "style", "iframe", "xmp", "noembed", "noframes"})
ESCAPABLE_RAW = frozenset({"title", "textarea"})

_NAME = re.compile(r"[^\t\n\f\r />]+")
_ATTRIBUTE = re.compile(
    r"[\s/]*+(?P<name>=?+[^\s/>=]++)"
    r"(?:\s*+=\s*+(?:\"(?P<double>[^\"]*+)(?P<closed>\")?+|'(?P<single>[^']*+)(?P<ended>')?+|(?P<bare>[^\s>]++))?+)?+"
)
_REST = re.compile(r"[\s/=]*+")
_CLOSING = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in (*sorted(RAW), *sorted(ESCAPABLE_RAW))}
_COMMENT_END = re.compile(r"--!?>")
_LONG_NUMBER = re.compile(r"&#(?:[xX][0-9a-fA-F]{9,}|[0-9]{9,});?")


@dataclass(frozen=True, slots=True)
class Text:
    """Text between tags, entities decoded."""

    text: str


@dataclass(frozen=True, slots=True)
class Start:
    """A start tag.

    Attributes:
        name: In lower case.
        attributes: By lower-case name, entities decoded; of one given twice the first counts.
        raw: The content of an element that holds no markup, such as ``script`` and ``title``; None for others.
    """

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class End:
    """An end tag; elements with ``raw`` have none."""

    name: str


Token = Text | Start | End


def tokens(source: str) -> Iterator[Token]:
    """Yield the tokens of a page.

    Raises:
        Unprocessable: ``page_too_complex``: more than ``MAX_TAGS`` tags.
    """
    at, tags = 0, 0
    while (opened := source.find("<", at)) >= 0:
        kind = source[opened + 1 : opened + 2]
        if not (kind.isascii() and kind.isalpha()) and kind not in {"/", "!", "?"}:
            end = _text_end(source, opened)
            yield Text(decoded(source[at:end]))
            at, tags = end, _counted(tags)
            continue
        if opened > at:
            yield Text(decoded(source[at:opened]))
        tags = _counted(tags)
        at, token = _markup(source, opened, kind)
        if token is not None:
            yield token
    if at < len(source):
        yield Text(decoded(source[at:]))


def decoded(text: str) -> str:
    """Return text with its entities decoded."""
    if "&" not in text:
        return text
    # Numbers this long name no character, and turning thousands of digits into a number is refused by Python.
    return html.unescape(_LONG_NUMBER.sub("\N{REPLACEMENT CHARACTER}", text))


def _counted(tags: int) -> int:
    if tags >= MAX_TAGS:
        raise Unprocessable("page_too_complex", f"The page has more than {MAX_TAGS} tags.")
    return tags + 1


def _text_end(source: str, opened: int) -> int:
    """Return where the text ends that begins with a ``<`` which opens nothing: at the next one that may."""
    following = source.find("<", opened + 1)
    return len(source) if following < 0 else following


def _markup(source: str, opened: int, kind: str) -> tuple[int, Token | None]:
    """Return where the markup at a ``<`` ends, and its token unless it is a comment or cut off."""
    if kind == "!" and source.startswith("<!--", opened):
        return _comment_end(source, opened), None
    letter = source[opened + 2 : opened + 3] if kind == "/" else kind
    if not (letter.isascii() and letter.isalpha()):
        return _after(source, source.find(">", opened + 1), 1), None
    name = _NAME.match(source, opened + 1 + (kind == "/"))
    assert name is not None
    attributes, end = _attributes(source, name.end())
    if end < 0:
        return len(source), None
    word = name[0].lower()
    if kind == "/":
        return end, End(word)
    if word not in _CLOSING:
        return end, Start(word, attributes)
    closing = _CLOSING[word].search(source, end)
    raw = source[end : closing.start() if closing else len(source)]
    rest = len(source) if closing is None else _after(source, source.find(">", closing.end()), 1)
    return rest, Start(word, attributes, decoded(raw) if word in ESCAPABLE_RAW else raw)


def _comment_end(source: str, opened: int) -> int:
    for empty in ("<!-->", "<!--->"):
        if source.startswith(empty, opened):
            return opened + len(empty)
    found = _COMMENT_END.search(source, opened + 4)
    return found.end() if found else len(source)


def _attributes(source: str, at: int) -> tuple[dict[str, str], int]:
    """Return the attributes of a tag and where it ends; -1 where it is cut off."""
    found: dict[str, str] = {}
    while True:
        match = _ATTRIBUTE.match(source, at)
        if match is None:
            rest = _REST.match(source, at)
            assert rest is not None
            if source.startswith(">", rest.end()):
                return found, rest.end() + 1
            if rest.end() in {at, len(source)}:
                return found, -1
            at = rest.end()
            continue
        at = match.end()
        opened_double = match["double"] is not None and match["closed"] is None
        if opened_double or (match["single"] is not None and match["ended"] is None):
            return found, -1
        if len(found) < MAX_ATTRIBUTES:
            value = next((each for each in match.group("double", "single", "bare") if each is not None), "")
            found.setdefault(match["name"].lower(), decoded(value))


def _after(source: str, found: int, length: int) -> int:
    return len(source) if found < 0 else found + length
