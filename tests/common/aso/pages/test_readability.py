"""Syllables, sentences, languages and the formulas made of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.pages import readability
from common.aso.pages.language import COMMON, language_of
from common.aso.pages.readability import Counts, counted, formulas, measured
from common.aso.pages.syllables import ACCURACY, LANGUAGES, syllables
from common.aso.pages.words import sentences_of, words_of
from tests.common.aso.pages import syllable_lists

LISTS = {
    ("en", "rules"): syllable_lists.ENGLISH,
    ("de", "rules"): syllable_lists.GERMAN,
    ("fr", "rules"): syllable_lists.FRENCH,
    ("es", "rules"): syllable_lists.SPANISH,
    ("en", "unseen"): syllable_lists.ENGLISH_UNSEEN,
    ("de", "unseen"): syllable_lists.GERMAN_UNSEEN,
}
UNSEEN = {"en": 0.9, "de": 0.95}
"""Accuracy on words that the rules were not made with."""


@pytest.mark.parametrize(("language", "kind"), LISTS)
def test_syllables_are_counted_as_accurately_as_stated(language: str, kind: str) -> None:
    pairs = [pair.split(":") for pair in LISTS[language, kind].split()]
    assert len(pairs) >= 80
    found = {word: (int(number), syllables(word, language)) for word, number in pairs}
    wrong = {word: pair for word, pair in found.items() if pair[0] != pair[1]}
    least = ACCURACY[language] if kind == "rules" else UNSEEN[language]
    assert 1 - len(wrong) / len(found) >= least, wrong
    assert all(abs(right - counted) <= 1 for right, counted in wrong.values()), wrong
    mean = sum(counted for _, counted in found.values()) / sum(right for right, _ in found.values())
    assert mean == pytest.approx(1, abs=0.03)


@given(st.text(max_size=30), st.sampled_from(sorted(LANGUAGES)))
def test_every_word_has_a_syllable(word: str, language: str) -> None:
    assert 1 <= syllables(word, language) <= max(1, 2 * len(word))


def test_parts_of_words_count_each() -> None:
    assert [syllables(word, "en") for word in ("well-known", "customer's", "don't", "2024", "QR")] == [2, 3, 1, 1, 1]
    assert syllables("l'expérience", "fr") == syllables("expérience", "fr")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four… Five", 5),
        ("Dr. Smith went to St. Mary's at 5 p.m. on Monday.", 1),
        ("Das ist z.B. ein Satz. Das ist bzw. war am 3. Oktober noch einer.", 2),
        ("Version 3.5 costs $1.99 today.", 1),
        ('He said "Stop." Then he left.', 2),
        ("J. R. R. Tolkien wrote it.", 1),
        ("Wait... what?", 2),
        ("...", 0),
        ("", 0),
        ("no end", 1),
        ("It has e.g. lower case after dots. and here too.", 1),
    ],
)
def test_sentences(text: str, sentences: int) -> None:
    assert len(sentences_of(text)) == sentences


def test_words() -> None:
    assert words_of("It's a well-known don’t, 2.5 – e_mail naïve") == [  # noqa: RUF001
        "It's",
        "a",
        "well-known",
        "don’t",  # noqa: RUF001
        "2",
        "5",
        "e",
        "mail",
        "naïve",
    ]


COUNTS = Counts(sentences=5, words=100, letters=430, syllables=150, long=20, polysyllables=12, monosyllables=60)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        # By hand: 20 words a sentence, 1.5 syllables a word.
        ("en", {"flesch_reading_ease": 59.635, "flesch_kincaid_grade": 9.91}),
        ("de", {"amstad": 72.25, "wiener_sachtextformel": 5.423}),
        ("fr", {"kandel_moles": 76.3}),
        ("es", {"fernandez_huerta": 96.44}),
        ("it", {"gulpease": 61.0}),
    ],
)
def test_formulas(language: str, expected: dict[str, float]) -> None:
    assert formulas(COUNTS, language) == pytest.approx(expected, abs=0.001)


def test_counts() -> None:
    words = ["Readability", "is", "a", "formula"]
    found = counted(["Readability is a formula."], words, "en")
    assert found == Counts(sentences=1, words=4, letters=21, syllables=10, long=2, polysyllables=2, monosyllables=2)
    assert counted(["La."], ["La"], "it").syllables is None


TEXTS = {
    "en": "The scanner reads the code with any camera and it shows what is in it. "
    "You do not have to install an app for that. ",
    "de": "Der Scanner liest den Code mit jeder Kamera und zeigt, was darin ist. "
    "Sie müssen dafür nicht eine App auf dem Gerät haben. ",
    "fr": "Le lecteur lit le code avec les appareils et il montre ce qui est dans le code. "
    "Vous n'avez pas une application pour cela. ",
    "es": "El lector lee el código con una cámara y muestra lo que está en el código. "
    "No se necesita una aplicación para los usuarios. ",
    "it": "Il lettore legge il codice con una fotocamera e mostra che cosa è nel codice. "
    "Non si deve installare una applicazione per questo. ",
    "nl": "De scanner leest de code met een camera en laat zien wat er in de code staat. "
    "Je hoeft niet een app te installeren voor dit. ",
    "pt": "O leitor lê o código com uma câmera e mostra o que está no código. "
    "Você não precisa de um aplicativo para os usuários do site. ",
}


@pytest.mark.parametrize("language", TEXTS)
def test_languages_are_recognised(language: str) -> None:
    assert language_of(word.casefold() for word in words_of(TEXTS[language] * 2)) == language
    assert measured([TEXTS[language] * 6], given=None, page=None).language == language


def test_unsure_is_unknown() -> None:
    assert language_of(["the", "and", "of"]) is None
    assert language_of(["lorem", "ipsum", "dolor"] * 50) is None
    assert language_of([*sorted(COMMON["en"]), *sorted(COMMON["de"])] * 2) is None


def test_there_is_a_figure_only_where_a_formula_means_something() -> None:
    text = [TEXTS["en"] * 6]
    found = measured(text, given=None, page=None)
    assert (found.language_source, found.reason, found.ease) == ("words", None, found.measures["flesch_reading_ease"])
    assert found.ease is not None
    assert 60 < found.ease < 105
    german = measured(text, given="de-AT", page="en")
    assert (german.language, german.language_source, set(german.measures)) == (
        "de",
        "given",
        {"amstad", "wiener_sachtextformel"},
    )
    assert measured(text, given=None, page="fr_FR").language == "fr"
    assert measured(text, given=None, page="???").language_source == "words"
    for abstained, reason in (
        (measured(text, given="pl", page=None), "language_without_formula"),
        (measured([TEXTS["en"]], given=None, page=None), "text_too_short"),
        (measured(["lorem ipsum dolor " * 60], given=None, page=None), "language_unknown"),
        (measured([], given="en", page=None), "text_too_short"),
    ):
        assert (abstained.reason, abstained.ease, abstained.measures) == (reason, None, {})


def test_labels_are_no_sentences() -> None:
    text = TEXTS["en"] * 6
    assert measured([text, "Home", "About us", "Go!"], given="en", page=None).sentences == 13


@given(st.integers(1, 50), st.integers(1, 30))
def test_longer_sentences_and_words_are_never_easier(words: int, more: int) -> None:
    for language in ("en", "de", "fr", "es"):
        ease = readability.EASE[language]
        easy = Counts(sentences=10, words=10 * words, letters=1, syllables=15 * words)
        longer = Counts(sentences=10, words=10 * (words + more), letters=1, syllables=15 * (words + more))
        heavier = Counts(sentences=10, words=10 * words, letters=1, syllables=15 * words + more)
        base = formulas(easy, language)[ease]
        assert formulas(longer, language)[ease] < base
        assert formulas(heavier, language)[ease] < base
