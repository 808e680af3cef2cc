"""Tables as CSV (RFC 4180): texts always quoted and never formulas, numbers bare in the caller's notation.

Every text is quoted, so that a program that splits at another delimiter than ours finds no cell that begins with a
formula. What could be a formula is preceded by an apostrophe (``common.spreadsheets``); cells of number columns are
written as numbers, negative ones too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from common.exports.columns import Column, Value
from common.exports.models import Layout
from common.spreadsheets import harmless

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
COMMA_LANGUAGES = frozenset(
    {
        *("af", "az", "be", "bg", "bs", "ca", "cs", "da", "de", "el", "es", "et", "eu", "fi", "fr", "gl", "hr", "hu"),
        *("hy", "id", "is", "it", "ka", "kk", "ky", "lt", "lv", "mk", "nb", "nl", "nn", "no", "pl", "pt", "ro", "ru"),
        *("sk", "sl", "sq", "sr", "sv", "tr", "uk", "uz", "vi"),
    }
)
"""Languages in which numbers usually have a decimal comma; for others the caller says ``decimal``."""
EXCEPTIONS = {
    **dict.fromkeys(("de-CH", "it-CH", "de-LI", "es-MX", "es-US", "es-GT", "es-HN", "es-NI", "es-PA"), False),
    **dict.fromkeys(("es-PE", "es-PR", "es-SV", "es-DO"), False),
    **dict.fromkeys(("en-DE", "en-NL", "en-SE", "en-DK", "en-FI", "en-AT", "en-SI"), True),
}
"""Countries that differ from their language."""
BLOCK = 262_144


def notation(layout: Layout) -> tuple[str, str]:
    """Return delimiter and decimal mark: the explicit ones, else those of the locale, else comma and point."""
    locale = layout.locale or "en"
    with_comma = EXCEPTIONS.get(locale, locale.partition("-")[0] in COMMA_LANGUAGES)
    delimiter = DELIMITERS[layout.delimiter or ("semicolon" if with_comma else "comma")]
    decimal = {"point": ".", "comma": ","}[layout.decimal or ("comma" if with_comma else "point")]
    return delimiter, decimal


def encoded(columns: Sequence[Column], rows: Iterable[Sequence[Value]], layout: Layout) -> Iterator[bytes]:
    """Yield the bytes of a file: headings, then rows, in blocks."""
    delimiter, decimal = notation(layout)
    writers = [_writer(column, delimiter, decimal) for column in columns]
    block = ["\ufeff" if layout.bom else "", delimiter.join(_quoted(column.name) for column in columns), "\r\n"]
    size = 0
    for row in rows:
        line = delimiter.join([write(cell) for write, cell in zip(writers, row, strict=True)])
        block.append(line)
        block.append("\r\n")
        size += len(line)
        if size >= BLOCK:
            yield "".join(block).encode("utf-8", "replace")
            block, size = [], 0
    yield "".join(block).encode("utf-8", "replace")


def _writer(column: Column, delimiter: str, decimal: str) -> Callable[[Value], str]:
    def number(value: Value) -> str:
        text = _number(value)
        if decimal == ",":
            text = text.replace(".", ",")
        return f'"{text}"' if delimiter in text else text

    return number if column.kind in {"integer", "number"} else _text


def _number(value: Value) -> str:
    match value:
        case bool() | str():
            return _text(value)
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case _:
            return ""


def _text(value: Value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(harmless(value))
        case _:
            return _number(value)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
