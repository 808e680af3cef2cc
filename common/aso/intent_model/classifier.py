"""A small classifier of keywords: softmax regression over hashed words, pairs of words and groups of letters.

Trained by AdaGrad over a fixed number of rounds in the order of the samples' ids, so that the same samples make the
same weights whatever order they come in. Pure Python: a few thousand samples take seconds, and the function that
classifies imports nothing for it.
"""

from __future__ import annotations

import base64
import itertools
import math
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from common.aso.clusters.similarity import grams_of, words_of
from common.aso.models import Intent

CLASSES: tuple[Intent, ...] = ("informational", "commercial", "transactional")
DIMENSIONS = 4096
ROUNDS = 15
RATE = 0.5
DECAY = 1e-4
"""L2 penalty, applied to the weights that a sample touches."""
TINY = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A keyword whose intent its tenant gave.

    Attributes:
        keyword_id: Its id.
        text: The keyword.
        intent: What it was given.
    """

    keyword_id: str
    text: str
    intent: Intent


def features_of(text: str) -> list[int]:
    """Return the numbers of a keyword's features, ascending; the last dimension is always among them."""
    words = words_of(text)
    named = [f"w{word}" for word in words]
    in_order = text.casefold().split()
    named += [f"p{first} {second}" for first, second in itertools.pairwise(in_order)]
    named += [f"b{in_order[0]}"] if in_order else []
    named += [f"g{gram}" for gram in grams_of(words)]
    return sorted({zlib.crc32(name.encode()) % (DIMENSIONS - 1) for name in named} | {DIMENSIONS - 1})


@dataclass(slots=True)
class Classifier:
    """Weights by class.

    Attributes:
        weights: One list of ``DIMENSIONS`` weights a class, in the order of ``CLASSES``.
        temperature: Divides the scores, so that confidences are as sure as they are right.
    """

    weights: list[array[float]] = field(default_factory=lambda: [array("f", bytes(4 * DIMENSIONS)) for _ in CLASSES])
    temperature: float = 1.0

    def scores(self, text: str) -> list[float]:
        """Return the score of each class."""
        return self.scores_of(features_of(text))

    def probabilities(self, text: str) -> list[float]:
        """Return the probability of each class."""
        return softmax(self.scores(text), self.temperature)

    def packed(self) -> str:
        """Return the weights as text, 4 bytes each, compressed."""
        raw = b"".join(array("f", weights).tobytes() for weights in self.weights)
        return base64.b64encode(zlib.compress(raw, 9)).decode()

    @classmethod
    def unpacked(cls, packed: str, temperature: float) -> Classifier:
        """Return the classifier of ``packed``."""
        raw = zlib.decompress(base64.b64decode(packed))
        size = len(raw) // len(CLASSES)
        return cls([array("f", raw[at * size : (at + 1) * size]) for at in range(len(CLASSES))], temperature)

    def scores_of(self, features: Sequence[int]) -> list[float]:
        """Return the score of each class for features."""
        scale = 1 / math.sqrt(len(features))
        return [scale * math.fsum(weights[feature] for feature in features) for weights in self.weights]


def trained(samples: Sequence[Sample]) -> Classifier:
    """Return the classifier of samples."""
    ordered = sorted(samples, key=lambda sample: sample.keyword_id)
    prepared = [(features_of(sample.text), CLASSES.index(sample.intent)) for sample in ordered]
    made = Classifier()
    squares = [array("d", bytes(8 * DIMENSIONS)) for _ in CLASSES]
    for _ in range(ROUNDS):
        for features, truth in prepared:
            scale = 1 / math.sqrt(len(features))
            for number, chance in enumerate(softmax(made.scores_of(features), 1.0)):
                error = (chance - (number == truth)) * scale
                weights, seen = made.weights[number], squares[number]
                for feature in features:
                    slope = error + DECAY * weights[feature]
                    seen[feature] += slope * slope
                    weights[feature] -= RATE * slope / math.sqrt(seen[feature] + TINY)
    return made


def softmax(scores: Sequence[float], temperature: float) -> list[float]:
    """Return probabilities of scores."""
    top = max(scores)
    powers = [math.exp((score - top) / temperature) for score in scores]
    total = math.fsum(powers)
    return [power / total for power in powers]
