"""Texts that spreadsheets may open: none of them is taken for a formula, and numbers stay numbers."""

from __future__ import annotations

import re

NUMBER = re.compile(r"[+-]?\d{1,15}(?:[.,]\d{1,15})?\s?%?")
"""A text that is nothing but a number: a spreadsheet reads a value from it and evaluates nothing."""

OPENERS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a formula may begin with (OWASP: CSV injection), the full-width forms included."""


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe stands before what could be one.

    White space at the beginning does not hide a formula, because some programs drop it. Numbers are left alone.
    """
    opening = text.lstrip(" \u00a0\ufeff")[:1]
    if opening in OPENERS and opening and not NUMBER.fullmatch(text):
        return f"'{text}"
    return text
