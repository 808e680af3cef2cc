"""How alike two keywords are: by the result pages they share where those are known, else by their words and letters.

**Result pages.** Two searches whose first ten results share four pages or more are answered by one page; that is what a
cluster is for. Where both sides' results are known nothing else counts.

**Text.** The cosine of two vectors in one: words weigh ``WORD_SHARE``, groups of three letters the rest, so that word
order does not matter and plurals, inflections and typos cost little. Each feature counts once and weighs its inverse
document frequency, ``1 + ln(N / df)``. ``N`` is the number of keywords rounded up to a power of two, at least 1024:
another keyword that shares no feature with a pair leaves its similarity exactly as it was, unless the number passes
such a power.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from common.aso.normalize import normalized_keyword

WORD_SHARE = 0.6
LEAST_CORPUS = 1024
GRAM = 3
TICK = 2000
"""Keywords between two signs of life."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """A keyword to be grouped.

    Attributes:
        keyword_id: Its id.
        text: The keyword, in any form.
        demand: Searches or impressions a month; None where unknown.
        pages: Addresses of its first results; empty where unknown.
    """

    keyword_id: str
    text: str
    demand: float | None = None
    pages: frozenset[str] = frozenset()

    @property
    def priority(self) -> tuple[float, int, str, str]:
        """Order in which terms lead: the greatest demand first, then the shortest, then by text and id."""
        demand = -1.0 if self.demand is None else self.demand
        return (-demand, len(self.text), self.text, self.keyword_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """From when on two keywords are alike.

    Attributes:
        text: Cosine, 0 to 1.
        shared_pages: Results in common.
    """

    text: float = 0.6
    shared_pages: int = 4


@dataclass(slots=True)
class Vectors:
    """The features of all terms, numbered from the rarest to the most frequent (ties by the feature itself).

    Attributes:
        features: Numbers of the features of each term, ascending: the rarest first.
        weights: Squared weight of each feature.
        is_word: Whether a feature is a word.
        word_scale: Factor of each term that brings its words to a length of ``sqrt(WORD_SHARE)``.
        gram_scale: Likewise for its letters.
    """

    features: list[tuple[int, ...]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    is_word: list[bool] = field(default_factory=list)
    word_scale: list[float] = field(default_factory=list)
    gram_scale: list[float] = field(default_factory=list)

    def cosine(self, own: frozenset[int], one: int, other: int) -> float:
        """Return the similarity of two terms, ``own`` being the features of the first."""
        words = grams = 0.0
        for feature in self.features[other]:
            if feature in own:
                if self.is_word[feature]:
                    words += self.weights[feature]
                else:
                    grams += self.weights[feature]
        return (
            words * self.word_scale[one] * self.word_scale[other]
            + grams * self.gram_scale[one] * self.gram_scale[other]
        )

    def prefix(self, term: int, threshold: float) -> int:
        """Return how many of the rarest features two terms must share one of to reach the threshold.

        What is left beyond the prefix is shorter than the threshold, so terms alike in it alone do not reach it
        (prefix filtering: Bayardo, Ma, Srikant, "Scaling up all pairs similarity search", 2007).
        """
        words, grams = self.word_scale[term] ** 2, self.gram_scale[term] ** 2
        left, bound = 1.0, threshold * threshold
        for number, feature in enumerate(self.features[term]):
            left -= self.weights[feature] * (words if self.is_word[feature] else grams)
            if left < bound - 1e-9:
                return number + 1
        return len(self.features[term])


def words_of(text: str) -> list[str]:
    """Return the words of a keyword without case and accents; the whole of it where it has none."""
    decomposed = unicodedata.normalize("NFD", normalized_keyword(text))
    folded = "".join(letter for letter in decomposed if unicodedata.category(letter) != "Mn")
    return sorted(set(_WORD.findall(folded))) or [folded]


def grams_of(words: Iterable[str]) -> set[str]:
    """Return the groups of three letters of words, their beginnings and ends included."""
    return {
        padded[at : at + GRAM] for word in words for padded in (f" {word} ",) for at in range(len(padded) - GRAM + 1)
    }


def vectors_of(terms: Sequence[Term], tick: Callable[[], None] = lambda: None) -> Vectors:
    """Return the vectors of terms; they do not depend on the order of the terms.

    Args:
        terms: The keywords.
        tick: Called now and then.
    """
    named: list[tuple[list[str], list[str]]] = []
    frequency: Counter[str] = Counter()
    for number, term in enumerate(terms):
        words = words_of(term.text)
        # A word and a group of letters that look alike differ in the character before them.
        own = [f"w{word}" for word in words], [f"g{gram}" for gram in sorted(grams_of(words))]
        named.append(own)
        frequency.update(own[0])
        frequency.update(own[1])
        if number % TICK == 0:
            tick()
    vectors = Vectors()
    corpus = 1 << (max(LEAST_CORPUS, len(terms)) - 1).bit_length()
    numbers: dict[str, int] = {}
    for name, count in sorted(frequency.items(), key=lambda item: (item[1], item[0])):
        numbers[name] = len(numbers)
        vectors.weights.append((1 + math.log(corpus / count)) ** 2)
        vectors.is_word.append(name[0] == "w")
    for number, (words, grams) in enumerate(named):
        _add(vectors, [numbers[word] for word in words], [numbers[gram] for gram in grams])
        if number % TICK == 0:
            tick()
    return vectors


def _add(vectors: Vectors, words: list[int], grams: list[int]) -> None:
    share = WORD_SHARE if grams else 1.0
    # Summed from the rarest on, so that rounding does not depend on anything but the features.
    word_length = math.fsum(vectors.weights[feature] for feature in words)
    gram_length = math.fsum(vectors.weights[feature] for feature in grams)
    vectors.word_scale.append(math.sqrt(share / word_length))
    vectors.gram_scale.append(math.sqrt((1 - share) / gram_length) if grams else 0.0)
    vectors.features.append(tuple(sorted([*words, *grams])))
