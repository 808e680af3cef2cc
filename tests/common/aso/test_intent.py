"""Intent by rules, with abstention."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.intent import ALONE, CONTESTED, guess_intent


@pytest.mark.parametrize(
    ("keyword", "intent"),
    [
        ("buy qr scanner", "transactional"),
        ("QR Scanner PRICE", "transactional"),
        ("drucker kaufen", "transactional"),
        ("g\u00fcnstig fliegen", "transactional"),
        ("acheter un scanner", "transactional"),
        ("precio de esc\u00e1ner", "transactional"),
        ("best qr scanner", "commercial"),
        ("scanner vs reader", "commercial"),
        ("scanner vergleich", "commercial"),
        ("meilleur scanner", "commercial"),
        ("how to scan a qr code", "informational"),
        ("qr code meaning", "informational"),
        ("was ist ein qr code", "informational"),
        ("c\u00f3mo escanear", "informational"),
        ("perch\u00e9 il cielo \u00e8 blu", "informational"),
    ],
)
def test_a_sign_tells_the_intent(keyword: str, intent: str) -> None:
    assert guess_intent(keyword) == (intent, ALONE)


@pytest.mark.parametrize(
    "keyword",
    [
        "scanner",
        "qr code scanner",
        "buyer persona",
        "bestiary",
        "it was",
        "\u0441\u043a\u0430\u043d\u0435\u0440",
        "\\",
        "https://example.com/x",
    ],
)
def test_without_a_whole_word_the_rules_abstain(keyword: str) -> None:
    assert guess_intent(keyword) == (None, None)


def test_the_first_class_wins_with_less_confidence() -> None:
    assert guess_intent("how to buy a scanner") == ("transactional", CONTESTED)
    assert guess_intent("how to find the best scanner") == ("commercial", CONTESTED)


@given(st.text(max_size=80))
def test_intent_and_confidence_go_together(keyword: str) -> None:
    intent, confidence = guess_intent(keyword)
    assert (intent is None) == (confidence is None)
    assert confidence in {None, ALONE, CONTESTED}
    assert guess_intent(keyword.casefold()) == (intent, confidence)
