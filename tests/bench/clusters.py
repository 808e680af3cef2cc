"""Clustering keywords by their text, against comparing all with all as TF-IDF vectors, over growing numbers.

The keywords are made up: subjects of one or two words whose frequency falls off as a power law, each with some of the
words people add to searches, and some in the plural. The peer is the textbook way: one vector of word and letter
features per keyword, and the cosine of every pair, in the same language and with the same features. Times are of the
processor, because other processes disturb the clock.
"""

from __future__ import annotations

import itertools
import random
import time
import tracemalloc
from collections.abc import Sequence

from common.aso.clusters.grouping import grouped
from common.aso.clusters.similarity import Term, Thresholds, vectors_of
from tests.bench.report import Measurement

SIZES = (10_000, 100_000)
NAIVE = 10_000
SAMPLED = 400
"""Keywords of which the peer compares every pair with all others; its time is scaled up to all of them."""
SYLLABLES = (
    "ka",
    "ro",
    "mi",
    "ten",
    "sol",
    "var",
    "pra",
    "dul",
    "eks",
    "ion",
    "bra",
    "chi",
    "fen",
    "gor",
    "hul",
    "jas",
)
ADDED = (
    *("best", "buy", "cheap", "how to", "near me", "online", "free", "review", "for kids", "2026", "vs", "price"),
    *("small", "with lid", "wholesale", "diy", "used", "repair", "app", "what is"),
)


def keywords(number: int) -> list[Term]:
    """Return that many made-up keywords, the same ones every time."""
    chance = random.Random(1)
    words = ["".join(chance.choices(SYLLABLES, k=chance.randint(2, 5))) for _ in range(max(300, number // 8))]
    texts: list[str] = []
    while len(texts) < number:
        subject = words[min(len(words) - 1, int(chance.paretovariate(0.7)) - 1)]
        if chance.random() < 0.5:
            subject += f" {chance.choice(words)}"
        for _ in range(chance.randint(1, 8)):
            text = subject + ("s" if chance.random() < 0.3 else "")
            texts.append(
                f"{chance.choice(ADDED)} {text}" if chance.random() < 0.5 else f"{text} {chance.choice(ADDED)}"
            )
    return [
        Term(keyword_id=f"k{at}", text=text, demand=float(int(chance.paretovariate(1) * 10)))
        for at, text in enumerate(texts[:number])
    ]


def run() -> Sequence[Measurement]:
    """Measure."""
    lines = []
    took: dict[int, float] = {}
    for size in SIZES:
        terms = keywords(size)
        began = time.process_time()
        groups = grouped(terms)
        took[size] = time.process_time() - began
        if size == NAIVE:
            peer = _naive_seconds(terms)
            lines.append(
                Measurement(
                    name=f"{size:,} keywords, {len(groups):,} clusters",
                    ours=f"{took[size]:.2f} s",
                    peer=f"all pairs of TF-IDF vectors {peer:.0f} s (scaled from {SAMPLED} rows)",
                    ratio=took[size] / peer,
                    aim="a tenth",
                    met=took[size] < 0.1 * peer,
                )
            )
        else:
            lines.append(_growth(size, len(groups), took))
    lines.append(_memory())
    return lines


def _growth(size: int, found: int, took: dict[int, float]) -> Measurement:
    per = took[size] / size, took[NAIVE] / NAIVE
    return Measurement(
        name=f"{size:,} keywords, {found:,} clusters",
        ours=f"{took[size]:.2f} s, {per[0] * 1e6:.0f} µs a keyword",
        peer=f"{NAIVE:,} keywords {per[1] * 1e6:.0f} µs a keyword",
        ratio=per[0] / per[1],
        aim="three times as long a keyword at most",
        met=per[0] < 3 * per[1],
    )


def _memory() -> Measurement:
    """Measure what a keyword needs while it is clustered, at the smaller size: tracing is slow."""
    terms = keywords(NAIVE)
    tracemalloc.start()
    grouped(terms)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Measurement(
        name="memory",
        ours=f"{peak / NAIVE:,.0f} bytes a keyword",
        peer="",
        ratio=None,
        aim="below 4 KB",
        met=peak / NAIVE < 4000,
    )


def _naive_seconds(terms: Sequence[Term]) -> float:
    """Return how long comparing every pair takes: some rows of the matrix are computed, the others reckoned."""
    vectors = vectors_of(terms)
    weighted = []
    for number, features in enumerate(vectors.features):
        scales = (vectors.gram_scale[number], vectors.word_scale[number])
        weighted.append(
            {feature: vectors.weights[feature] ** 0.5 * scales[vectors.is_word[feature]] for feature in features}
        )
    began = time.process_time()
    alike = 0
    for own in itertools.islice(weighted, SAMPLED):
        for other in weighted:
            small, large = (own, other) if len(own) < len(other) else (other, own)
            cosine = sum(weight * large[feature] for feature, weight in small.items() if feature in large)
            alike += cosine >= Thresholds().text
    passed = time.process_time() - began
    assert alike >= SAMPLED, "each is alike to itself"
    return passed * len(terms) / SAMPLED / 2
