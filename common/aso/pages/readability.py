"""How hard a text is to read, by the formula that was made for its language.

==================  ========================================================  ====================================
language            formula                                                   source
==================  ========================================================  ====================================
English             206.835 - 1.015 ASL - 84.6 ASW (reading ease)             Flesch 1948
English             0.39 ASL + 11.8 ASW - 15.59 (grade)                       Kincaid et al. 1975
German              180 - ASL - 58.5 ASW                                      Amstad 1978
German              0.1935 MS + 0.1672 ASL + 0.1297 IW - 0.0327 ES - 0.875    Bamberger, Vanecek 1984 (first Wiener
                                                                              Sachtextformel; a school grade)
French              207 - 1.015 ASL - 73.6 ASW                                Kandel, Moles 1958
Spanish             206.84 - 60 ASW - 1.02 ASL                                Fernández Huerta 1959, as corrected by
                                                                              Law 2011
Italian             89 + (300 sentences - 10 letters) / words                 Lucisano, Piemontese 1988 (Gulpease)
==================  ========================================================  ====================================

ASL: words a sentence; ASW: syllables a word; MS, IW, ES: percent of words with three syllables or more, with more than
six letters, with one syllable. For any other language there is no figure: the formulas mean nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from common.aso.pages import syllables as counter
from common.aso.pages.language import language_of
from common.aso.pages.score_models import Readability
from common.aso.pages.words import PART, sentences_of, words_of

LEAST_WORDS = 100
"""Words of a text worth a figure: the formulas were made on samples of a hundred words."""

LABEL_WORDS = 4
"""A block with fewer words and without an end of a sentence is a label or a menu entry, and not read as a sentence."""

EASE = {"de": "amstad", "en": "flesch_reading_ease", "es": "fernandez_huerta", "fr": "kandel_moles", "it": "gulpease"}
"""The ease formula of each language."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """What the formulas are made of.

    Attributes:
        sentences: Sentences.
        words: Words.
        letters: Letters and digits.
        syllables: Syllables; None where the language's are not counted.
        long: Words of more than six letters.
        polysyllables: Words of three syllables or more.
        monosyllables: Words of one syllable.
    """

    sentences: int
    words: int
    letters: int
    syllables: int | None = None
    long: int = 0
    polysyllables: int = 0
    monosyllables: int = 0


def measured(blocks: Sequence[str], *, given: str | None, page: str | None) -> Readability:
    """Return the readability of a text.

    Args:
        blocks: Its blocks; a sentence does not go beyond one.
        given: Language that the caller names.
        page: Language that the page names.
    """
    sentences = [sentence for block in blocks for sentence in _read(block)]
    words = [word for sentence in sentences for word in words_of(sentence)]
    language, source = _language(words, given, page)
    if len(words) < LEAST_WORDS:
        return _abstained(language, source, sentences, words, "text_too_short")
    if language not in EASE:
        reason = "language_unknown" if language is None else "language_without_formula"
        return _abstained(language, source, sentences, words, reason)
    counts = counted(sentences, words, language)
    measures = {name: round(value, 2) for name, value in formulas(counts, language).items()}
    return Readability(
        language=language,
        language_source=source,
        measures=measures,
        ease=measures[EASE[language]],
        sentences=counts.sentences,
        words=counts.words,
        syllables=counts.syllables,
    )


def counted(sentences: Sequence[str], words: Sequence[str], language: str) -> Counts:
    """Return the counts of a text."""
    letters = [sum(map(str.isalnum, word)) for word in words]
    basic = Counts(sentences=len(sentences), words=len(words), letters=sum(letters))
    if language not in counter.LANGUAGES:
        return basic
    spoken = [counter.syllables(word, language) for word in words]
    return Counts(
        sentences=basic.sentences,
        words=basic.words,
        letters=basic.letters,
        syllables=sum(spoken),
        long=sum(number > 6 for number in letters),
        polysyllables=sum(number >= 3 for number in spoken),
        monosyllables=sum(number == 1 for number in spoken),
    )


def formulas(counts: Counts, language: str) -> dict[str, float]:
    """Return the measures of a language, by name."""
    if language == "it":
        return {"gulpease": 89 + (300 * counts.sentences - 10 * counts.letters) / counts.words}
    asl = counts.words / counts.sentences
    asw = (counts.syllables or 0) / counts.words
    match language:
        case "en":
            grade = 0.39 * asl + 11.8 * asw - 15.59
            return {"flesch_reading_ease": 206.835 - 1.015 * asl - 84.6 * asw, "flesch_kincaid_grade": grade}
        case "de":
            ms, iw, es = (100 * n / counts.words for n in (counts.polysyllables, counts.long, counts.monosyllables))
            wiener = 0.1935 * ms + 0.1672 * asl + 0.1297 * iw - 0.0327 * es - 0.875
            return {"amstad": 180 - asl - 58.5 * asw, "wiener_sachtextformel": wiener}
        case "fr":
            return {"kandel_moles": 207 - 1.015 * asl - 73.6 * asw}
        case "es":
            return {"fernandez_huerta": 206.84 - 60 * asw - 1.02 * asl}
    raise ValueError(f"no formula for {language!r}")


def _read(block: str) -> list[str]:
    if block[-1:] not in ".!?…" and len(PART.findall(block[:200])) < LABEL_WORDS:
        return []
    return sentences_of(block)


def _language(
    words: Sequence[str], given: str | None, page: str | None
) -> tuple[str | None, Literal["given", "page", "words", "unknown"]]:
    if given is not None:
        return given.partition("-")[0].lower(), "given"
    named = (page or "").replace("_", "-").partition("-")[0].strip().lower()
    if named.isascii() and named.isalpha() and 2 <= len(named) <= 3:
        return named, "page"
    found = language_of(word.casefold() for word in words[:5000])
    return found, "unknown" if found is None else "words"


def _abstained(
    language: str | None,
    source: Literal["given", "page", "words", "unknown"],
    sentences: Sequence[str],
    words: Sequence[str],
    reason: str,
) -> Readability:
    return Readability(
        language=language, language_source=source, sentences=len(sentences), words=len(words), reason=reason
    )
