"""Names that people give: in any script, one line, one spelling, nothing that hides or turns around what is read.

A name is composed (NFC), so that two ways of typing one text are one name. Refused are control characters, separators
of lines and paragraphs, characters that override the direction of text (with them one name reads as another: Unicode
Technical Report 36, 2.2), tag characters, noncharacters, and names in which nothing can be seen. The joiners of
Persian, Indic scripts and emoji, and the marks that help right-to-left text, are part of names and stay.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

LONGEST = 200
"""Characters of a composed name at most."""

BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols by category that show nothing: fillers of Hangul, the empty Braille pattern."""

_REFUSED = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufff9-\ufffb\ufffe\uffff"
PATTERN = rf"^[^{_REFUSED}]+$"
"""Controls, separators of lines, overrides, embeddings and isolates of direction, annotations, noncharacters."""
_READABLE = re.compile(PATTERN)


def require_readable(text: object) -> object:
    """Refuse characters that control, separate or turn around what is read, in words; the schema has the pattern.

    Raises:
        PydanticCustomError: ``name_characters``.
    """
    if isinstance(text, str) and text and not _READABLE.fullmatch(text):
        raise PydanticCustomError(
            "name_characters", "a name is one line without control characters and without any that turn text around"
        )
    return text


def checked_name(text: str) -> str:
    """Return the composed form of a name.

    Raises:
        PydanticCustomError: ``name_invisible``, ``name_characters`` or ``string_too_long``.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if any(0xE0000 <= ord(character) <= 0xE007F or ord(character) & 0xFFFE == 0xFFFE for character in name):
        raise PydanticCustomError("name_characters", "a name has no tag characters and no noncharacters")
    if not any(_is_visible(character) for character in name):
        raise PydanticCustomError("name_invisible", "a name has something that can be seen")
    if len(name) > LONGEST:
        raise PydanticCustomError("string_too_long", "a name has at most {longest} characters", {"longest": LONGEST})
    return name


def _is_visible(character: str) -> bool:
    """Tell whether a character shows by itself: a letter, number, symbol or punctuation, and no filler."""
    return unicodedata.category(character)[0] in "LNSP" and character not in BLANK


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST, pattern=PATTERN),
    AfterValidator(checked_name),
    BeforeValidator(require_readable),
]
"""A name of anything that people call by one."""
