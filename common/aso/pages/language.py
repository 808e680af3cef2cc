"""Which language a text is in, by its commonest words; unsure is unknown.

The share of words that are among a language's function words decides: at least 8 % of at least 20 words, and half as
many again as the next language has. Function words are a quarter to half of running text in these languages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

LEAST_WORDS = 20
LEAST_SHARE = 0.08
LEAD = 1.5


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


COMMON: Mapping[str, frozenset[str]] = {
    "de": _set(
        "der die das und ist nicht ein eine mit auf für von dem den sie es im zu auch sich wie oder werden bei "
        "einen einer wird sind ich aus nach kann"
    ),
    "en": _set(
        "the and of to in is that for it with you are this on be as have or your from not can by what which will "
        "they at an has"
    ),
    "es": _set(
        "el los las y que en un una es por con para del se no su al lo como más pero sus este esta son o le ha si está"
    ),
    "fr": _set(
        "le les et des est une pour que dans qui sur pas vous avec ce il au par plus sont du la votre ou cette nous "
        "mais aux ne ces elle"
    ),
    "it": _set(
        "il che di è per una sono con non del della dei le gli si più come anche alla nel questo o ma ha dal delle "
        "i lo al da"
    ),
    "nl": _set(
        "de het een en van is dat niet zijn op te voor met die aan er ook als maar om bij naar wordt door of kan u "
        "je uw dit"
    ),
    "pt": _set(
        "o os e que do da em um uma para é com não no na por mais as dos como mas ao das se seu sua ou você são foi"
    ),
}


def language_of(words: Iterable[str]) -> str | None:
    """Return the ISO 639-1 code of a text's language, or None.

    Args:
        words: Its words, case folded.
    """
    counts = Counter(words)
    total = counts.total()
    if total < LEAST_WORDS:
        return None
    hits = sorted(((sum(counts[word] for word in common), code) for code, common in COMMON.items()), reverse=True)
    (most, code), (next_most, _) = hits[:2]
    return code if most >= LEAST_SHARE * total and most >= LEAD * next_most else None
