"""What somebody who searches a keyword wants to do, by ordered rules that abstain where no word tells.

The classes are those of document 000. The first class with a sign wins: transactional, commercial, informational. The
confidences are stated judgements, not measurements: 0.85 where one class alone shows a sign, 0.55 where a later class
shows one too. Words are whole words, compared without accents; question words count at the beginning only ("was" asks
in German and is a verb in English). Languages: English, German, French, Spanish, Portuguese, Italian.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from common.aso.models import Intent
from common.aso.normalize import normalized_keyword

ALONE = 0.85
CONTESTED = 0.55


class IntentGuess(NamedTuple):
    """An intent and how sure the rules are of it, both None where they abstain."""

    intent: Intent | None
    confidence: float | None


def _words(*phrases: str) -> re.Pattern[str]:
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, phrases)) + r")(?!\w)")


def _opening(*phrases: str) -> re.Pattern[str]:
    return re.compile(r"(?:" + "|".join(map(re.escape, phrases)) + r")(?!\w)")


TRANSACTIONAL = _words(
    *("buy", "purchase", "price", "prices", "pricing", "cheap", "coupon", "discount", "promo code", "for sale"),
    *("order online", "near me", "free trial", "sign up", "subscribe", "download", "hire", "book online"),
    *("kaufen", "bestellen", "preis", "preise", "gunstig", "rabatt", "gutschein", "herunterladen", "kostenlos testen"),
    *("acheter", "commander", "prix", "pas cher", "code promo", "telecharger", "devis"),
    *("comprar", "precio", "precios", "barato", "descuento", "descargar", "preco", "desconto", "baixar"),
    *("comprare", "acquistare", "prezzo", "prezzi", "sconto", "scaricare"),
)
COMMERCIAL = _words(
    *("best", "review", "reviews", "vs", "versus", "compare", "comparison", "alternative to", "alternatives", "top 10"),
    *("top rated", "rating", "ratings", "beste", "bester", "bestes", "vergleich", "testsieger", "erfahrungen"),
    *("meilleur", "meilleure", "meilleurs", "meilleures", "comparatif", "avis sur"),
    *(
        "mejor",
        "mejores",
        "comparativa",
        "opiniones",
        "alternativas",
        "melhor",
        "melhores",
        "comparativo",
        "avaliacoes",
    ),
    *("migliore", "migliori", "recensione", "recensioni", "confronto"),
)
INFORMATIONAL = _words(
    *("how to", "what is", "tutorial", "guide", "meaning", "definition", "examples", "ideas", "tips", "learn"),
    *("anleitung", "bedeutung", "beispiele", "tipps", "signification", "exemples", "significado", "ejemplos"),
    *("exemplos", "significato", "esempi", "guida", "guia"),
)
QUESTION = _opening(
    *("how", "what", "why", "when", "where", "who", "which", "can", "does", "is", "are"),
    *("wie", "was", "warum", "wann", "welche", "welcher", "comment", "pourquoi", "quand", "qu'est-ce", "c'est quoi"),
    *("como", "que es", "por que", "cuando", "cual", "o que", "quando", "qual", "come si", "cosa", "cos'e", "perche"),
)


def guess_intent(keyword: str) -> IntentGuess:
    """Return what the words of ``keyword`` tell about the intent; abstains where they tell nothing."""
    decomposed = unicodedata.normalize("NFD", normalized_keyword(keyword))
    text = "".join(letter for letter in decomposed if unicodedata.category(letter) != "Mn")
    signs: list[tuple[Intent, bool]] = [
        ("transactional", TRANSACTIONAL.search(text) is not None),
        ("commercial", COMMERCIAL.search(text) is not None),
        ("informational", INFORMATIONAL.search(text) is not None or QUESTION.match(text) is not None),
    ]
    shown = [intent for intent, found in signs if found]
    if not shown:
        return IntentGuess(None, None)
    return IntentGuess(shown[0], ALONE if len(shown) == 1 else CONTESTED)
