"""Words that several tools use: intents, devices, features of result pages, languages."""

from __future__ import annotations

import re
from collections.abc import Iterable

INTENTS = {name: name for name in ("informational", "commercial", "transactional")}
"""The intents that keywords have; tools also know ``navigational``, which says nothing about what a page should do."""

DEVICES = {name: name for name in ("desktop", "mobile", "tablet", "all")}
PRIORITIES = {"tier1": "tier1", "tier2": "tier2", "tier3": "tier3", "1": "tier1", "2": "tier2", "3": "tier3"}
LANGUAGES = {
    "english": "en",
    "german": "de",
    "french": "fr",
    "spanish": "es",
    "italian": "it",
    "portuguese": "pt",
    "dutch": "nl",
    "japanese": "ja",
    "polish": "pl",
    "swedish": "sv",
    "danish": "da",
    "norwegian": "no",
    "finnish": "fi",
    "turkish": "tr",
}
_DEVICE_WORDS = {
    "desktop": "desktop",
    "mobile": "mobile",
    "phone": "mobile",
    "smartphone": "mobile",
    "tablet": "tablet",
}
MOST_FEATURES = 50
LONGEST_FEATURE = 64


def one_intent(cell: str) -> str | None:
    """Return the intent of a cell that names one (``Commercial``), None where it names none that we keep, or several.

    Semrush writes several with commas or bars between, or their first letters.
    """
    named = {word.strip().casefold() for word in re.split(r"[,;|/]", cell)}
    letters = {"i": "informational", "c": "commercial", "t": "transactional"}
    found = {letters.get(word, word) for word in named if letters.get(word, word) in INTENTS}
    others = {word for word in named if word and letters.get(word, word) not in INTENTS}
    return found.pop() if len(found) == 1 and not others else None


def features(cells: Iterable[str]) -> list[str]:
    """Return the features that cells name, such as ``people_also_ask``, each once."""
    slugs = [_slug(word) for cell in cells for word in re.split(r"[,;|]", cell)]
    return list(dict.fromkeys(slug for slug in slugs if slug))[:MOST_FEATURES]


def device_of(text: str) -> str | None:
    """Return the device that a text names as a word."""
    words = re.findall(r"[a-z]+", text.casefold())
    return next((_DEVICE_WORDS[word] for word in words if word in _DEVICE_WORDS), None)


def language_of(text: str) -> str | None:
    """Return the language that a text names in English."""
    words = re.findall(r"[a-z]+", text.casefold())
    return next((LANGUAGES[word] for word in words if word in LANGUAGES), None)


def _slug(word: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", word.casefold()).strip("_")[:LONGEST_FEATURE]
