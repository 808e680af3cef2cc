"""Words, sentences and phrases of a text, and whether a phrase is in it.

A phrase is found word by word, in the form in which keywords are compared (NFKC, case folded); hyphens and apostrophes
part words as spaces do. Inflected forms are other words. Scripts that write without spaces (Chinese, Japanese, Thai)
are searched letter by letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from common.aso.normalize import normalized_keyword

WORD = re.compile(r"[^\W_]+(?:['’‑-][^\W_]+)*")  # noqa: RUF001  # the apostrophe and hyphen that texts are set with
PART = re.compile(r"[^\W_]+")
SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]"
)
"""Letters of scripts without spaces: Thai, Lao, Burmese, Khmer, Kana and Han."""

_END = re.compile(r"[.!?…]+[\"'»”’)\]]*(?=\s|$)")  # noqa: RUF001
_ABBREVIATIONS = (
    "abb abs allg art bd bzw ca co corp dept dipl dr eg engl etc evtl fig geb gen ggf gmbh hr hrsg ie inc inkl int jr "
    "kap lt ltd max min mio mr mrs ms mwst nr num op pag par pp prof resp s sog sr sra st std str tel u usw v vgl vol "
    "vs z zb zzgl"
)
ABBREVIATIONS = frozenset(_ABBREVIATIONS.split())
"""Words after whose dot a sentence goes on, without their own dots."""


def words_of(text: str) -> list[str]:
    """Return the words of a text as written; hyphenated words and those with apostrophes are one."""
    return WORD.findall(text)


def parts_of(text: str) -> list[str]:
    """Return the words of a text as they are compared."""
    return PART.findall(normalized_keyword(text))


def sentences_of(block: str) -> list[str]:
    """Return the sentences of a block of text."""
    found, start = list[str](), 0
    for end in _END.finditer(block):
        if end[0].startswith(".") and not end[0].startswith("..") and _goes_on(block, end.start(), end.end()):
            continue
        found.append(block[start : end.end()].strip())
        start = end.end()
    found.append(block[start:].strip())
    return [sentence for sentence in found if PART.search(sentence)]


def _goes_on(block: str, dot: int, end: int) -> bool:
    """Tell whether a dot belongs to an abbreviation, an initial or an ordinal number."""
    before = re.search(r"[^\s(]*$", block[max(0, dot - 30) : dot])
    word = before[0] if before else ""
    bare = word.replace(".", "").lower()
    following = block[end : end + 2].strip()[:1]
    if not following:
        return False
    if bare in ABBREVIATIONS or (len(bare) == 1 and bare.isalpha()):
        return True
    return (bare.isdigit() and len(bare) <= 2) or following.islower()


class Haystack:
    """A text in which phrases are looked for.

    Args:
        text: The text.
    """

    def __init__(self, text: str) -> None:
        self.parts = parts_of(text)
        self._marked = _marked(self.parts)
        self._letters = "".join(unicodedata.normalize("NFKC", text).casefold().split())

    def count(self, phrase: str) -> int:
        """Return how often a phrase occurs, without overlaps."""
        if SPACELESS.search(phrase):
            return self._letters.count("".join(normalized_keyword(phrase).split()))
        needle = _marked(parts_of(phrase))
        return self._marked.count(needle) if needle else 0

    def position(self, phrase: str) -> int | None:
        """Return the 0-based word at which a phrase first occurs (letter, for scripts without spaces), or None."""
        if SPACELESS.search(phrase):
            found = self._letters.find("".join(normalized_keyword(phrase).split()))
            return None if found < 0 else found
        needle = _marked(parts_of(phrase))
        found = self._marked.find(needle) if needle else -1
        return None if found < 0 else self._marked.count("\0\0", 0, found + 1)

    def has_all(self, phrase: str) -> bool:
        """Tell whether every word of a phrase occurs, in whatever order."""
        wanted = set(parts_of(phrase))
        return bool(wanted) and wanted <= set(self.parts)


def _marked(parts: Iterable[str]) -> str:
    return "".join(f"\0{part}\0" for part in parts)
