"""File names offered to callers, safe whatever a tenant called the thing (RFC 6266, RFC 8187)."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

LONGEST = 120
RESERVED = frozenset('<>:"/\\|?*')
"""Characters that no file system, or not every one, takes in a name."""


def attachment(filename: str) -> str:
    """Return the ``Content-Disposition`` that offers to save a file, named twice: plain for old readers, and in full.

    The value is ASCII without line breaks, whatever the name.
    """
    letters = (letter if letter.isascii() and letter.isprintable() else "_" for letter in filename)
    plain = "".join("_" if letter in {'"', "\\"} else letter for letter in letters)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"


def file_name(text: str, extension: str, otherwise: str) -> str:
    """Return a name of a file made of any text.

    Args:
        text: What somebody called it: control, reserved and direction-changing characters become ``_``.
        extension: Without the dot.
        otherwise: The name where nothing is left of ``text``.
    """
    kept = "".join("_" if _unwanted(letter) else letter for letter in unicodedata.normalize("NFC", text))
    stem = kept.strip(" ._")[:LONGEST].rstrip(" .")
    return f"{stem or otherwise}.{extension}"


def _unwanted(letter: str) -> bool:
    return letter in RESERVED or unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
