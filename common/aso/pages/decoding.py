"""The text of fetched bytes: byte order mark, then what the server says, then what the page says, then UTF-8."""

from __future__ import annotations

import re

CHARSETS = {
    "ascii": "cp1252",
    "big5": "big5",
    "euc-jp": "euc_jp",
    "euc-kr": "euc_kr",
    "gb18030": "gb18030",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "koi8-r": "koi8_r",
    "koi8-u": "koi8_u",
    "latin1": "cp1252",
    "shift_jis": "cp932",
    "us-ascii": "cp1252",
    "utf-16": "utf_16_le",
    "utf-16be": "utf_16_be",
    "utf-16le": "utf_16_le",
    "utf-8": "utf_8",
    "utf8": "utf_8",
    **{f"iso-8859-{number}": f"iso8859_{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    "iso-8859-9": "cp1254",
    **{f"windows-{number}": f"cp{number}" for number in (874, *range(1250, 1259))},
}
"""Names that pages use to Python's codecs, as in the Encoding Standard (https://encoding.spec.whatwg.org); others, such
as Python's own ``idna`` or ``zlib``, are no charset of a page."""

MARKS = ((b"\xef\xbb\xbf", "utf_8"), (b"\xff\xfe", "utf_16_le"), (b"\xfe\xff", "utf_16_be"))
HEAD = 1024
"""Bytes within which a page names its charset."""

_META = re.compile(rb"""<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}["']?([a-zA-Z0-9_-]{1,40})""", re.IGNORECASE)


def page_text(body: bytes, charset: str | None) -> str:
    """Return the text of an HTML page; bytes that mean nothing become the replacement character.

    Args:
        body: The bytes.
        charset: What the server says.
    """
    for mark, codec in MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(codec, "replace")
    named = CHARSETS.get((charset or "").lower())
    if named is None:
        found = _META.search(body[:HEAD])
        named = CHARSETS.get(found[1].decode("ascii").lower()) if found else None
        # A page that can be read as ASCII, as this one just was, is not in UTF-16 whatever it says.
        named = "utf_8" if named is not None and named.startswith("utf_16") else named
    if named is not None:
        return body.decode(named, "replace")
    try:
        return body.decode("utf_8")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")
